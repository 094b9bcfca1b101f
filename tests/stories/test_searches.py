"""Sweeps on the command line: over a recipe of ours, and over anybody's program."""

import json

import pytest
from helpers.wandb_runs import read_run

pytestmark = pytest.mark.usefixtures("undrawn")

SEARCH = """
name: search
method: bayes
metric: {name: val/loss, goal: minimize}
run_cap: 4
parameters:
  optim.lr: {distribution: log_uniform_values, min: 0.0001, max: 0.1}
  model.dropout: {values: [0.0, 0.2]}
command: [audiocls, train, --recipe, tiny, train.epochs=2, '${args_no_hyphens}']
"""

STOPPED = """
name: stopped
method: grid
metric: {name: val/loss, goal: minimize}
parameters: {optim.lr: {values: [0.001, 0.003, 10.0]}}
early_terminate: {type: hyperband, min_iter: 2, eta: 2}
command: [audiocls, train, --recipe, tiny, train.epochs=60, '${args_no_hyphens}']
"""

PROGRAM = """
name: anybodys
program: train.py
method: grid
metric: {name: loss, goal: minimize}
parameters: {lr: {values: [0.3, 0.1]}, layers: {values: [1, 3]}}
"""

TRAIN = """
import argparse, wandb
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--layers", type=int)
given = parser.parse_args()
with wandb.init(project="mine", config=vars(given)) as run:
    if given.layers == 3:
        raise ValueError("three is too many")
    run.log({"loss": given.lr * given.layers})
"""

QUIET = ("--wandb", "disabled")


@pytest.fixture
def shop(home):
    """A folder with three sweeps and somebody's training script."""
    for name, text in [("search", SEARCH), ("stopped", STOPPED), ("anybodys", PROGRAM)]:
        (home.path / f"{name}.yaml").write_text(text)
    (home.path / "train.py").write_text(TRAIN)
    return home


@pytest.fixture
def run(shop, here):
    """The command line in this process, in that folder."""
    return here.run


INLINE = (*QUIET, "--executor", "inline")


def test_a_search_over_a_recipe_runs_ranks_and_goes_on(run):
    first = run("sweep", "launch", "search.yaml", *INLINE, "--count", "2")
    assert "Best of 2 trials" in first.out
    assert "2 trained, 0 reused" in first.err
    second = run("sweep", "launch", "search.yaml", *INLINE)
    assert "2 trained, 2 reused" in second.err
    found = run("report", "search", "--json").json()
    values = [trial["value"] for trial in found["trials"]]
    assert values == sorted(values)
    assert len({trial["id"] for trial in found["trials"]}) == 4
    assert run("sweep", "launch", "search.yaml", *INLINE).err.count("0 trained, 4 reused") == 1


def test_a_plan_of_a_sweep_names_the_very_trials_that_a_launch_runs(shop, run):
    planned = run("sweep", "plan", "search.yaml", "--json").json()
    run("sweep", "launch", "search.yaml", *INLINE, "--count", "1")
    [line] = (shop.path / "runs/search/proposals.jsonl").read_text().splitlines()
    assert json.loads(line)["parameters"] == planned["first"][0]
    assert planned["num_trials"] == 4


def test_a_stop_rule_ends_the_hopeless_trial_early_and_it_is_ranked_with_what_it_had(shop, run):
    run("sweep", "launch", "stopped.yaml", *QUIET, "--workers", "1")
    found = run("report", "stopped", "--json").json()
    states = {t["parameters"]["optim.lr"]: t["state"] for t in found["trials"]}
    assert states[10.0] == "stopped"
    record = next(t for t in found["trials"] if t["parameters"]["optim.lr"] == 10.0)
    history = shop.path / "runs/stopped/trials" / record["id"] / "history.jsonl"
    assert len(history.read_text().splitlines()) < 60


def test_a_stop_rule_on_a_metric_known_at_the_end_only_is_refused(shop, run):
    text = STOPPED.replace("val/loss", "test/accuracy")
    (shop.path / "stopped.yaml").write_text(text)
    err = run("sweep", "launch", "stopped.yaml", *QUIET, code=2).err
    assert "nothing would be stopped" in err


def test_a_sweep_over_anybodys_program_runs_offline_and_lists_what_crashed(shop, run):
    first = run("sweep", "launch", "anybodys.yaml", "--wandb", "offline", code=3)
    assert "Best of 2 trials: loss 0.1 with layers=1, lr=0.1" in first.out
    assert "2 failed (error)" in first.err
    assert "three is too many" in first.err
    counts = run("sweep", "status", "anybodys", "--json").json()["cells"]
    assert (counts["done"], counts["failed"]) == (2, 2)
    same = run("sweep", "launch", "anybodys.yaml", "--wandb", "offline", code=3)
    assert "0 trained, 2 reused, 2 failed" in same.err
    assert "reused: runs/anybodys/trials, finished" in same.err


def test_trials_of_a_program_that_was_changed_are_neither_reused_nor_ranked(shop, run):
    run("sweep", "launch", "anybodys.yaml", "--wandb", "offline", code=3)
    (shop.path / "train.py").write_text(TRAIN.replace("== 3", "== 4").replace("given.lr *", "7 *"))
    mended = run("sweep", "launch", "anybodys.yaml", "--wandb", "offline")
    assert "train.py has changed since the last launch" in mended.err
    assert "4 trained, 0 reused, 0 failed" in mended.err
    assert "lr had no effect: 4 trials" in mended.out
    (shop.path / "train.py").write_text(TRAIN + "# a comment changes no number\n")
    before = run("sweep", "launch", "anybodys.yaml", "--wandb", "offline", code=3)
    assert "0 trained, 2 reused, 2 failed" in before.err


def test_a_program_that_always_fails_is_given_up(shop, run):
    (shop.path / "train.py").write_text("raise SystemExit('no such module')\n")
    text = PROGRAM.replace("[1, 3]", "[1, 2, 3, 4, 5, 6]")
    (shop.path / "anybodys.yaml").write_text(text)
    err = run("sweep", "launch", "anybodys.yaml", *QUIET, "--workers", "1", code=3).err
    assert "given up: every trial failed: 7 cells" not in err
    assert "given up" in err
    counts = run("sweep", "status", "anybodys", "--json").json()["cells"]
    assert counts["failed"] == 5


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (SEARCH.replace("optim.lr", "optim.rate"), "optim.rate"),
        (SEARCH.replace("[0.0, 0.2]", "[0.0, 2.0]"), "model.dropout"),
        (SEARCH.replace("method: bayes", "method: bays"), "line 3"),
        (SEARCH.replace("min: 0.0001", "min: 1"), "line 7"),
        (PROGRAM.replace("program: train.py", ""), "program: missing"),
    ],
)
def test_a_faulty_sweep_is_refused_before_anything_runs(shop, run, broken, said):
    (shop.path / "broken.yaml").write_text(broken)
    err = run("sweep", "launch", "broken.yaml", *QUIET, code=2).err
    assert said in err
    assert not (shop.path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("anybodys.yaml", ("--arms", "a"), "--arms: no effect"),
        ("anybodys.yaml", ("--set", "optim.lr=1"), "another program"),
        ("search.yaml", ("--trial-hours", "1"), "--trial-hours: no effect"),
    ],
)
def test_an_option_without_effect_on_a_sweep_is_refused(run, name, options, said):
    err = run("sweep", "launch", name, *QUIET, *options, code=2).err
    assert said in err


def test_a_study_is_stopped_from_elsewhere_and_goes_on(shop, run):
    text = STOPPED.replace("early_terminate: {type: hyperband, min_iter: 2, eta: 2}\n", "")
    text = text.replace("epochs=60", "epochs=4000")
    (shop.path / "stopped.yaml").write_text(text)
    process = shop.start("sweep", "launch", "stopped.yaml", *QUIET)
    trials = shop.path / "runs/stopped/trials"
    shop.wait_for(lambda: any(h.stat().st_size for h in trials.glob("*/history.jsonl")))
    assert "stopped: " in shop.run("sweep", "stop", "stopped").out
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "Resume with: audiocls sweep launch stopped.yaml" in err
    assert "not running" in run("sweep", "stop", "stopped").out


def test_a_sweeps_runs_are_told_in_its_own_project(shop, run):
    (shop.path / "search.yaml").write_text(SEARCH + "project: birds\n")
    words = ("--wandb", "offline", "--count", "1", "--executor", "inline")
    run("sweep", "launch", "search.yaml", *words)
    assert read_run(shop.path / "runs/search").project == "birds"


def test_a_program_started_from_another_folder_than_before_is_told_of(shop, run, monkeypatch):
    words = ("sweep", "launch", "anybodys.yaml", *QUIET, "--count", "1")
    run(*words)
    shop.path.rename(moved := shop.path.with_name("moved"))
    monkeypatch.chdir(moved)
    assert f"launched before in {shop.path}" in run(*words).err
