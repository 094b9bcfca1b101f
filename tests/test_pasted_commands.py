"""A command that is printed can be pasted: its words are those that are meant."""

import shlex
from pathlib import Path

import pytest
from helpers.processes import invoke, tiny_home

import audiocls
from audiocls.render.document import Facts

FILE = "my question's.yaml"
RUNS = "my runs"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with a question whose name needs quotes."""
    folder = tmp_path / 'it\'s a "desk"'
    folder.mkdir()
    tiny_home(folder)
    (folder / "tiny.yaml").rename(folder / FILE)
    monkeypatch.chdir(folder)
    return folder


def test_both_commands_for_a_registered_ablation(desk):
    said = invoke("ablation", "register", f"./{FILE}", "--out", "my sweeps").out
    file, _, commands = said.rstrip(")\n").partition("  (")
    ours, _, theirs = commands.partition(", or: ")
    assert shlex.split(ours) == ["audiocls", "sweep", "launch", f"./{FILE}"]
    assert shlex.split(theirs) == ["wandb", "sweep", file]
    made_by = Path(file).read_text().partition("`")[2].partition("`")[0]
    assert shlex.split(made_by) == ["audiocls", "ablation", "register", f"./{FILE}"]


def test_a_plans_command_measures_the_noise_where_the_plan_looks_for_it(desk):
    blocks = audiocls.plan(FILE, runs=RUNS).report.document.blocks
    facts = next(dict(block.items) for block in blocks if isinstance(block, Facts))
    command = facts["noise"].partition("Measure it: ")[2]
    assert shlex.split(command) == ["audiocls", "noise", FILE, "--runs", RUNS]
    assert invoke(*shlex.split(command)[1:], "--seeds", "0..1", "--executor", "inline").code == 0
    (damaged,) = Path(RUNS).glob("*/noise.json")
    damaged.write_text("{")
    blocks = audiocls.plan(FILE, runs=RUNS).report.document.blocks
    facts = next(dict(block.items) for block in blocks if isinstance(block, Facts))
    again = facts["noise"].partition("trains nothing twice: ")[2].partition(")")[0]
    assert shlex.split(again) == ["audiocls", "noise", "tiny", "--runs", RUNS]
