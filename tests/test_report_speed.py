"""A report on ten thousand trials stays cheap: what grows grows with the trials, and in bytes."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers.records import finished_study, write_study

from audiocls.analysis import compare
from audiocls.render.build.values import to_json
from audiocls.stats.tests import NUM_RESAMPLES, random_signs, sign_flip_p
from audiocls.studies.reports import load_report

MOST_S = 2.0
"""Of the processor, for what takes a few tenths: ten thousand trials would take ten times that."""


def study(num_arms: int, num_seeds: int):
    rng = np.random.default_rng(0)
    values = {f"arm{i}": rng.normal(0.8, 0.01, 5 * num_seeds) for i in range(num_arms)}
    return finished_study(values, seeds=range(num_seeds))


@pytest.mark.parametrize(("num_arms", "num_seeds"), [(50, 4), (2, 100)])
def test_a_thousand_trials_are_compared_within_the_time_of_a_tenth_of_ten_thousand(
    num_arms, num_seeds
):
    found = study(num_arms, num_seeds)
    started = time.process_time()
    to_json(compare(*found))
    assert time.process_time() - started < MOST_S


def test_a_thousand_trials_are_read_from_disk_once_each(tmp_path: Path):
    plan, records = study(50, 4)
    folder = write_study(tmp_path / "large", plan, records)
    started = time.process_time()
    answer = load_report(folder)
    assert time.process_time() - started < MOST_S
    assert answer.records == records
    assert answer.comparison == compare(plan, records)


@pytest.mark.parametrize("num_pairs", [17, 24, 100])
def test_signs_looked_up_by_the_eight_are_the_signs_of_each_pair(num_pairs):
    values = np.random.default_rng(1).normal(0.1, 1.0, num_pairs)
    sums = np.abs(random_signs(num_pairs, 0) @ values)
    num_extreme = np.count_nonzero(sums >= abs(values.sum()) - 1e-9)
    assert sign_flip_p(values) == (num_extreme + 1) / (NUM_RESAMPLES + 1)


def test_random_signs_are_fair_coins():
    signs = random_signs(100, 0)
    assert signs.shape == (NUM_RESAMPLES, 100)
    assert set(np.unique(signs)) == {-1, 1}
    assert abs(signs.mean(axis=0)).max() < 5 / NUM_RESAMPLES**0.5
    products = signs[:, :50].astype(int).T @ signs[:, 50:] / NUM_RESAMPLES
    assert abs(products).max() < 6 / NUM_RESAMPLES**0.5


def test_five_thousand_pairs_are_flipped_in_a_few_megabytes():
    values = np.random.default_rng(0).normal(0.0, 1.0, 5_000)
    tracemalloc.start()
    sign_flip_p(values, seed=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * 2**20
