"""Stopped and killed at any moment: at most ten seconds or an epoch are lost, nothing twice."""

import json
import signal
import time

import psutil
import pytest
from helpers.processes import kill, workers_of

from audiocls.writers import host

pytestmark = pytest.mark.usefixtures("undrawn")

EPOCHS = 150
"""Some seconds: enough to interrupt a trial in."""
LONG = ["--set", f"train.epochs={EPOCHS}", "--seeds", "0", "--arms", "dropout=0.5"]


def launch_words(*more):
    return ["sweep", "launch", "tiny.yaml", "--wandb", "disabled", *LONG, "--workers", "1", *more]


def logits(home, runs="runs"):
    """Trial id → the bytes of its history without times, and of its metrics."""
    found = {}
    for trial in sorted((home.path / runs / "tiny/trials").iterdir()):
        rows = [json.loads(line) for line in (trial / "history.jsonl").read_text().splitlines()]
        for row in rows:
            del row["seconds"]
        found[trial.name] = rows, json.loads((trial / "record.json").read_text())["metrics"]
    return found


def test_ctrl_c_ends_soon_with_75_and_the_next_launch_goes_on_to_the_same_numbers(home, here):
    one_arm = ("--arms", "baseline")
    process = home.start(*launch_words(*one_arm))
    home.wait_for(home.has_history)
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - asked < 5
    assert process.returncode == 75
    assert "Resume with: audiocls sweep launch" in err
    assert here.run("sweep", "status", "tiny", "--json").json()["cells"]["running"] == 0
    here.launch(*LONG, *one_arm)
    here.launch(*LONG, *one_arm, "--runs", "whole")
    assert logits(home) == logits(home, "whole")


def test_a_killed_scheduler_leaves_work_that_the_next_launch_finishes(home):
    process = home.start(*launch_words())
    home.wait_for(home.has_history)
    kill(process.pid)
    process.communicate()
    [trial] = home.trials()
    rows = len((trial / "history.jsonl").read_text().splitlines())
    home.run(*launch_words())
    history = (trial / "history.jsonl").read_text().splitlines()
    assert len(history) == EPOCHS
    assert rows >= 1
    assert (trial / "attempt").read_text().split()[:2] == ["2", "1"]
    assert not (trial / "failure.json").exists()


def test_a_killed_worker_is_replaced_and_its_trial_goes_on(home):
    process = home.start(*launch_words())
    home.wait_for(home.has_history)
    [worker] = workers_of(process.pid)
    kill(worker)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "killed by SIGKILL; resuming from its last snapshot" in err
    assert len(home.finished()) == 2


def test_a_trial_that_keeps_losing_its_worker_fails_by_cause(home):
    process = home.start(*launch_words("--arms", "baseline", "--set", "train.epochs=100000"))
    for attempt in (1, 2, 3):
        home.wait_for(lambda attempt=attempt: attempts(home) == attempt)
        kill(workers_of(process.pid)[0])
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "failed (signal)" in err


@pytest.mark.slow
def test_a_killed_process_beside_the_worker_costs_what_its_worker_would(home):
    """Of a trial on several devices; a model with BatchNorm has none on cores."""
    raw = "{name: convnext1d, stem_width: 4, strides: [4]}"
    recipe = home.path / "recipes/tiny.yaml"
    lines = [line for line in recipe.read_text().splitlines() if not line.startswith(("f", "m"))]
    recipe.write_text("\n".join([*lines, "features: {name: raw}", f"model: {raw}"]))
    words = (*launch_words("--arms", "baseline"), "--devices-per-trial", "2", "--devices", "cpu")
    process = home.start(*words)
    home.wait_for(home.has_history)
    [follower] = [
        child.pid
        for child in psutil.Process(process.pid).children(recursive=True)
        if "audiocls.execution.followers" in child.cmdline()
    ]
    kill(follower)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "process of this trial was killed by SIGKILL; resuming from its last snapshot" in err
    assert len(home.finished()) == 1


def attempts(home):
    return sum(
        int(path.read_text().split()[0]) for path in home.path.glob("runs/tiny/trials/*/attempt")
    )


def test_a_launch_with_other_settings_does_not_replace_the_plan_of_a_running_one(home, here):
    process = home.start(*launch_words("--set", "train.epochs=100000"))
    home.wait_for(home.has_history)
    assert here.run("sweep", "status", "tiny", "--json").json()["cells"]["running"] == 1
    said = here.run(*launch_words(), code=2).err
    assert f"is being run by {host()} (process {process.pid}) with other settings" in said
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 75


@pytest.mark.parametrize("hours", ["0.0003"])
def test_max_hours_stops_resumably_with_124(home, hours):
    words = launch_words("--max-hours", hours, "--set", "train.epochs=100000")
    assert "out of time" in home.run(*words, code=124).err
