"""The command that resumes a launch, pasted, goes on with that launch: every option is repeated.

A new option of `sweep launch` has to be entered into `GIVEN`, or, if a resumed launch must not have
it, into `NOT_REPEATED`.
"""

import os
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer.main
from helpers.processes import invoke, tiny_home
from helpers.slurm_programs import Fake

import audiocls
from audiocls import library, yaml_file
from audiocls.cli import app
from audiocls.store import Proposal, StudyFolder, count_states
from audiocls.studies.launch import Outcome, write_plan
from audiocls.studies.on_ray import RayWorkers
from audiocls.studies.options import LaunchOptions
from audiocls.tracking.sweep_server import ServerSweep, SweepPath
from audiocls.wandb_remote.serve import again_words

SEARCH = """
name: search
method: random
metric: {name: val/accuracy, goal: maximize}
parameters: {optim.lr: {values: [0.1, 0.2, 0.3, 0.4, 0.5]}}
command: [audiocls, train, --recipe, recipes/tiny.yaml, '${args_no_hyphens}']
"""
PROGRAM = """
name: program
method: grid
parameters: {x: {values: [1, 2]}}
program: mine.py
"""
ON_SLURM = ("--executor", "slurm", "--workers", "2")
ON_RAY = ("--executor", "ray")
GROWING = ("--until-decided",)

GIVEN: dict[str, tuple[str, ...]] = {
    "--recipe": ("tiny.yaml", "recipes/tiny.yaml"),
    "--set": ("tiny.yaml", "model.channels=[4, 8, 8, 8]", "--set", "train.epochs=2"),
    "--seeds": ("tiny.yaml", "0..2,7"),
    "--folds": ("tiny.yaml", "1"),
    "--arms": ("tiny.yaml", "dropout=0.5"),
    "--study": ("tiny.yaml", "it's mine"),
    "--runs": ("tiny.yaml", "all my runs"),
    "--executor": ("tiny.yaml", "inline"),
    "--devices": ("tiny.yaml", "cpu"),
    "--workers": ("tiny.yaml", "2"),
    "--per-device": ("tiny.yaml", "2"),
    "--max-hours": ("tiny.yaml", "0.1"),
    "--retries": ("tiny.yaml", "3"),
    "--count": ("search.yaml", "3"),
    "--trial-hours": ("program.yaml", "0.1"),
    "--until-decided": ("tiny.yaml",),
    "--max-pairs": ("tiny.yaml", "9", *GROWING),
    "--effect": ("tiny.yaml", "0.02", *GROWING),
    "--wandb": ("tiny.yaml", "disabled"),
    "--tensorboard": ("tiny.yaml",),
    "--log-model": ("tiny.yaml",),
    "--devices-per-trial": ("tiny.yaml", "2"),
    "--profile": ("tiny.yaml", "my cluster.yaml", *ON_SLURM),
    "--slurm": ("tiny.yaml", "comment=it's mine", "--slurm", "time=1:00", *ON_SLURM),
    "--detach": ("tiny.yaml", *ON_SLURM),
    "--ray-address": ("tiny.yaml", "ray://head:10001", *ON_RAY),
    "--cpus-per-worker": ("tiny.yaml", "0.5", *ON_RAY),
    "--gpus-per-worker": ("tiny.yaml", "0.5", *ON_RAY),
    "--trust": ("tiny.yaml", "my_pkg", "--trust", "others.nets"),
    "--path": ("tiny.yaml", "my parts", "--path", "/elsewhere"),
}
"""Option → the file that is launched, the option's value, and what else must be given with it."""
NOT_REPEATED = {"--dry-run", "--help"}
"""A dry run launches nothing that could be resumed."""

OF_AGENTS: dict[str, tuple[str, ...]] = {
    "--runs": ("all my runs",),
    "--devices": ("cpu",),
    "--workers": ("2",),
    "--count": ("3",),
    "--max-failures": ("0",),
    "--study": ("it's mine",),
    "--trust": ("my_pkg",),
    "--path": ("my parts",),
}

SWEEP: Any = typer.main.get_command(app).commands["sweep"]  # type: ignore[attr-defined]


def options_of(verb: str) -> set[str]:
    options = (param.opts for param in SWEEP.commands[verb].params)
    return {name for names in options for name in names if name.startswith("--")}


def parsed(words: list[str], verb: str = "launch") -> dict[str, Any]:
    """Return the values of all options as the command line reads them, paths made absolute."""
    values = SWEEP.commands[verb].make_context(verb, list(words)).params
    places = [Path(place).resolve() for place in values["places"] or ()]
    changes = library.overrides(values.get("assignments") or [])
    return {**values, "runs": values["runs"].absolute(), "places": places, "assignments": changes}


def stopped_at_once(prepared, display):
    """Keep the plan, as a launch does, and end as one that Ctrl-C stops before its first trial."""
    study, _ = write_plan(prepared.folder, prepared.study)
    return Outcome(study, count_states(prepared.folder.states(study.cells)), 0, "signal")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with an ablation and two searches, where launches end before their first trial."""
    tiny_home(tmp_path)
    for name, text in (("search", SEARCH), ("program", PROGRAM)):
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "mine.py").write_text("print('no result')\n")
    (tmp_path / "my cluster.yaml").write_text("time: 1:00\n")
    (tmp_path / "programs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}{os.pathsep}{os.environ['PATH']}")
    Fake(tmp_path / "programs")
    for module in ("ablation", "noise", "launch"):
        monkeypatch.setattr(f"audiocls.studies.{module}.launch", stopped_at_once)
    monkeypatch.setattr("audiocls.studies.slurm.submit.follow", lambda outcome, *_: outcome)
    monkeypatch.setattr("audiocls.studies.options.require_shared", lambda *_: None)
    monkeypatch.setattr(RayWorkers, "slots", lambda self: ["cpu"])
    monkeypatch.setattr(RayWorkers, "require_kinds", lambda self, wanted: None)
    return tmp_path


def words_for(option: str) -> list[str]:
    file, *rest = GIVEN[option]
    return [file, option, *rest]


def test_every_option_of_a_launch_is_tried_here():
    assert GIVEN.keys() | NOT_REPEATED == options_of("launch") | {"--help"}
    assert OF_AGENTS.keys() == options_of("agent")


@pytest.mark.parametrize("option", GIVEN)
def test_the_command_that_resumes_a_launch_repeats_the_option(option, desk, monkeypatch):
    given = parsed(words_for(option))
    ended = invoke("sweep", "launch", *words_for(option))
    assert ended.code in (0, 75), ended.err
    runs = Path(given["runs"])
    [study] = [each.parent.name for each in runs.glob("*/study.yaml")]
    again = audiocls.stop(study, runs=runs).command
    for name in ("AUDIOCLS_PATH", "AUDIOCLS_TRUST"):  # it is pasted into another shell
        monkeypatch.setenv(name, "")
    assert again.startswith("audiocls sweep launch ")
    assert parsed(shlex.split(again)[3:]) == given
    if ended.code == 75:
        printed = ended.err.partition("Resume with: ")[2]
        assert parsed(shlex.split(printed)[3:]) == given


def test_a_search_is_resumed_up_to_the_trials_that_were_asked_for(desk, monkeypatch):
    """Those that were proposed and not finished are among them, however often it is stopped."""
    invoke("sweep", "launch", "search.yaml", "--count", "2", "--wandb", "disabled")
    folder, start = StudyFolder(desk / "runs/search"), "audiocls sweep launch search.yaml"
    for number, left in enumerate((1, 0), start=1):
        folder.propose(Proposal(f"{number:012x}", {"optim.lr": number / 10}))
        again = audiocls.stop("search").command
        assert again == f"{start} --wandb disabled --count {left}"
    monkeypatch.undo()
    monkeypatch.chdir(desk)
    ended = invoke(*shlex.split(again)[1:], "--executor", "inline")
    assert "2 trained, 0 reused, 0 failed" in ended.err
    assert len(folder.proposals()) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--recipe", "recipes/tiny.yaml", "train.epochs=2", "--tensorboard"),
        ("noise", "tiny.yaml", "--seeds", "0..3", "--workers", "1"),
    ],
)
def test_a_single_trial_and_a_noise_study_are_resumed_as_they_were_launched(words, desk):
    how = ("--executor", "inline", "--devices", "cpu", "--wandb", "offline")
    ended = invoke(*words, *how)
    printed = ended.err.partition("Resume with: ")[2]
    assert sorted(shlex.split(printed)) == sorted(["audiocls", *words, *how])


class FakeSweeps:
    """A server with one sweep, of which nothing is asked."""

    def __init__(self, connection):
        self.config = yaml_file.parse(SEARCH, "search")

    def sweep(self, path):
        return ServerSweep(path, "", self.config, "running")

    def register_agent(self, path, host):
        return "agent"


@pytest.mark.parametrize("option", OF_AGENTS)
def test_the_command_that_resumes_agents_repeats_the_option(option, desk, monkeypatch):
    def drive(launch, executor, stop):
        launch.stopped_by = "signal"

    monkeypatch.setattr("audiocls.execution.scheduler.Launch.drive", drive)
    monkeypatch.setattr("audiocls.wandb_remote.trials.open_local", lambda *_: None)
    monkeypatch.setattr("audiocls.tracking.wandb.connection.Connection", lambda: None)
    monkeypatch.setattr("audiocls.tracking.wandb.sweeps.WandbSweeps", FakeSweeps)
    monkeypatch.setattr("audiocls.wandb_remote.serve.Agent", lambda *_: SimpleNamespace(fault=None))
    given = ["me/birds/abc12345", option, *OF_AGENTS[option]]
    ended = invoke("sweep", "agent", *given)
    assert ended.code == 75, ended.err
    printed = ended.err.partition("Resume with: ")[2]
    for name in ("AUDIOCLS_PATH", "AUDIOCLS_TRUST"):
        monkeypatch.setenv(name, "")
    assert parsed(shlex.split(printed)[3:], "agent") == parsed(given, "agent")


def test_agents_that_were_begun_by_a_launch_are_resumed_with_trust_in_its_own_parts(tmp_path):
    path, options = SweepPath("me", "birds", "abc"), LaunchOptions(tmp_path)
    words = list(again_words(path, options, 3, None, {"my_pkg.nets:Net", "my_pkg.nets:Other"}))
    assert words == ["audiocls", "sweep", "agent", "me/birds/abc", "--trust", "my_pkg.nets"]
