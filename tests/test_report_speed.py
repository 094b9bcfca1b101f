"""A report on ten thousand trials stays cheap: what grows grows with the trials, and in bytes."""

import time
from pathlib import Path

import numpy as np
import pytest
from helpers.records import finished_study, recorded_study, write_study

from audiocls.analysis import compare
from audiocls.render.build.values import to_json
from audiocls.studies.reports import load_report

MOST_S = 2.0
"""Of the processor, for what takes a few tenths: ten thousand trials would take ten times that."""
NUM_CLIPS = 80


def study(num_arms: int, num_seeds: int):
    rng = np.random.default_rng(0)
    values = {f"arm{i}": rng.normal(0.8, 0.01, 5 * num_seeds) for i in range(num_arms)}
    return finished_study(values, seeds=range(num_seeds))


@pytest.mark.parametrize(("num_arms", "num_seeds"), [(50, 4), (2, 100)])
def test_a_thousand_trials_are_compared_within_the_time_of_a_tenth_of_ten_thousand(
    num_arms, num_seeds
):
    effects = [0.0] * (num_arms - 1)
    plan, records, influences = recorded_study(
        *effects, seeds=range(num_seeds), num_recordings=NUM_CLIPS
    )
    started = time.process_time()
    to_json(compare(plan, records, influences=influences))
    assert time.process_time() - started < MOST_S


def test_a_thousand_trials_and_their_predictions_are_read_from_disk_once_each(tmp_path: Path):
    plan, records = study(50, 4)
    folder = write_study(tmp_path / "large", plan, records)
    rng = np.random.default_rng(0)
    predictions = {
        "clips": np.array([f"clip{i}" for i in range(NUM_CLIPS)]),
        "sources": np.array([f"recording{i}" for i in range(NUM_CLIPS)]),
        "labels": np.arange(NUM_CLIPS) % 10,
    }
    for trial_id in records:
        logits = rng.normal(size=(NUM_CLIPS, 10)).astype(np.float32)
        folder.trial(trial_id).write_predictions({**predictions, "logits": logits})
    started = time.process_time()
    answer = load_report(folder)
    assert time.process_time() - started < 2 * MOST_S
    assert answer.records == records
    arms = answer.comparison.compared
    assert {arm.components.num_recordings for arm in arms} == {5 * NUM_CLIPS}
