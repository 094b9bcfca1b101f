"""A trial's command line is the one that W&B's agent would start."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from audiocls.search.command import DEFAULT_COMMAND, FORMS, arguments, as_json

COMMANDS: list[Sequence[str]] = [
    [],
    DEFAULT_COMMAND,
    *([f"${{{macro}}}"] for macro in [*FORMS, "args_json", "args_json_file", "nonsense", ""]),
    ["./train.sh", "${args}", "--again", "${args_no_hyphens}", "${args_json}"],
    ["${env}", "A=1", "${interpreter}", "-m", "theirs", "--file", "${args_json_file}"],
    ["${envvar:SHELL_OF_MINE}", "in-${envvar:PLACE}-and-${envvar:PLACE}", "${envvar:UNSET_ONE}"],
    ["--x=${args}", "${args} ", "${env}${program}", "$args", "{args}", "${envvar:lower}"],
    ["${program}", "--say", "", "two words", "it's", '"quoted"'],
    ["srun", "--gres=gpu:1", "${program}", "${args_override_hydra}", "${args_append_hydra}"],
]
PARAMETERS: list[Mapping[str, Any]] = [
    {},
    {"lr": 1e-5, "text_lr": "1e-5", "big": 1e20, "tiny": 1e-300, "whole": 1.0, "minus": -3},
    {"name": "two words", "quote": 'it\'s "so"', "empty": "", "dollar": "${args}", "uml": "ä→"},
    {"on": True, "off": False, "none": None, "text": "True", "zero": 0},
    {"list": [1, "two", None], "nested": {"a": {"b": 0.5}, "c": [True]}, "model.dim": 8},
    {"newline": "a\nb", "equals": "a=b", "hyphen": "--a", "inf": float("inf")},
]
VARIABLES = {"SHELL_OF_MINE": "/bin/sh", "PLACE": "over there"}


class Started(Exception):
    """What W&B's agent was about to start."""


@pytest.fixture
def agent(monkeypatch, tmp_path) -> Any:
    """W&B's own agent, stopped at the moment that it starts a process."""
    from wandb import wandb_agent

    def stop(**told: Any) -> None:
        raise Started(told["command"])

    told_by_agent = {"WANDB_RUN_ID": "", "WANDB_SWEEP_PARAM_PATH": ""}  # undone after the test
    here = {"WANDB_DIR": str(tmp_path), "WANDB_SWEEP_ID": "s"}
    for name, value in {**VARIABLES, **told_by_agent, **here}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(wandb_agent, "AgentProcess", stop)
    return wandb_agent.Agent(api=None, queue=None, sweep_id="s")


def started_by(agent: Any, command: Sequence[str], parameters: Mapping[str, Any]) -> list[str]:
    agent._sweep_command = list(command)
    told = {name: {"value": value} for name, value in parameters.items()}
    with pytest.raises(Started) as started:
        agent._command_run({"run_id": "r", "program": "train.py", "args": told})
    (items,) = started.value.args
    return items


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda given: "-".join(given) or "none")
def test_every_macro_is_filled_in_as_wandbs_agent_does_it(agent, parameters, tmp_path):
    file = str(tmp_path / "wandb" / "sweep-s" / "config-r.json")
    for command in COMMANDS:
        ours = arguments(command, "train.py", parameters, os.environ, file)
        assert ours == started_by(agent, command, parameters), command


def test_the_json_file_holds_what_wandbs_agent_writes(agent, tmp_path):
    for parameters in PARAMETERS:
        started_by(agent, ["${args_json_file}"], parameters)
        written = Path(tmp_path, "wandb", "sweep-s", "config-r.json").read_text()
        assert as_json(parameters) == written


def test_wandb_knows_no_macro_that_is_not_known_here():
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    theirs = set(create_sweep_command_args({"args": {}})) - {"args_dict"}
    assert theirs == {*FORMS, "args_json"}


def test_the_items_reach_a_program_unchanged():
    parameters = PARAMETERS[2]
    command = ["printf", r"%s\n", "${args_no_equals}"]
    items = arguments(command, "", parameters, {}, "")
    ran = subprocess.run(items, capture_output=True, text=True, check=True, timeout=10)
    assert ran.stdout.splitlines() == items[2:]
