"""The stage before the classes: trained once, shared, stopped and killed at any moment."""

import json
import signal
import time

import pytest
from helpers.processes import Home, kill, workers_of

pytestmark = pytest.mark.usefixtures("undrawn")

QUESTION = """
name: stages
question: Does training on other clips first help a tiny network?
recipe: tiny
arms:
  scratch: {}
  whole: {pretraining.data: {name: synthetic, num_sources: 5, clips_per_source: 1,
          sample_rate: 8000, duration_s: 0.5, seed: 1}, pretraining.epochs: EPOCHS}
  frozen: {pretraining.data: {name: synthetic, num_sources: 5, clips_per_source: 1,
           sample_rate: 8000, duration_s: 0.5, seed: 1}, pretraining.epochs: EPOCHS, freeze: true}
blocks: {seed: [0], fold: [1, 2]}
"""
EPOCHS = 60
LAUNCH = ["sweep", "launch", "stages.yaml", "--wandb", "disabled", "--arms", "whole,frozen"]
SHORT = ["--folds", "1"]
INLINE = ["--executor", "inline"]


@pytest.fixture
def stages(home: Home) -> Home:
    (home.path / "stages.yaml").write_text(QUESTION.replace("EPOCHS", str(EPOCHS)))
    return home


def launch(home, *more):
    return home.run(*LAUNCH, *more)


def folders(home, runs="runs"):
    return sorted((home.path / runs / "stages/pretrained").glob("*"))


def is_under_way(home):
    histories = (folder / "history.jsonl" for folder in folders(home))
    rows = [len(file.read_text().splitlines()) for file in histories if file.exists()]
    return any(0 < count < EPOCHS for count in rows)


def weights(home, runs="runs"):
    return {
        folder.name: (folder / "checkpoint.safetensors").read_bytes()
        for folder in folders(home, runs)
    }


def logits(home, runs="runs"):
    trials = (home.path / runs / "stages/trials").glob("*/record.json")
    return {file.parent.name: json.loads(file.read_text())["metrics"] for file in trials}


def records(home):
    trials = (home.path / "runs/stages/trials").glob("*/record.json")
    return [json.loads(file.read_text()) for file in trials]


def test_a_stage_is_trained_once_for_all_trials_that_want_it_and_its_cost_is_told(stages):
    said = launch(stages, "--workers", "2").out
    [stage] = folders(stages)
    assert len((stage / "history.jsonl").read_text().splitlines()) == EPOCHS
    spent = json.loads((stage / "stage.json").read_text())["spent"]
    pretrained = [record for record in records(stages) if record["notes"]]
    assert len(pretrained) == 4
    for record in pretrained:
        assert record["cost"]["steps"] == spent["steps"] + 3 * 4
        assert record["cost"]["samples"] == spent["samples"] + 3 * 30
        assert record["metrics"]["pretrain/steps"] == spent["steps"]
        assert f"pre-training ({EPOCHS} epochs" in record["notes"][0]
    assert "as many clips" in said
    assert "not_comparable" not in said


def test_ctrl_c_within_a_stage_ends_soon_with_75_and_the_next_launch_goes_on_to_the_bit(
    stages, here
):
    process = stages.start(*LAUNCH, *SHORT, "--workers", "2")
    stages.wait_for(lambda: is_under_way(stages))
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - asked < 5
    assert process.returncode == 75
    [stage] = folders(stages)
    assert (stage / "resume.pt").exists()
    assert not (stage / "stage.json").exists()
    launch(here, *SHORT, *INLINE)
    launch(here, *SHORT, *INLINE, "--runs", "whole")
    assert weights(stages) == weights(stages, "whole")
    assert logits(stages) == logits(stages, "whole")


def test_a_worker_killed_within_a_stage_loses_seconds_of_it_at_most(stages, here):
    process = stages.start(*LAUNCH, *SHORT, "--workers", "2")
    stages.wait_for(lambda: is_under_way(stages))
    for worker in workers_of(process.pid):
        kill(worker)
    process.communicate(timeout=200)
    assert process.returncode == 0
    launch(here, *SHORT, *INLINE, "--runs", "whole")
    assert weights(stages) == weights(stages, "whole")
    assert logits(stages) == logits(stages, "whole")
