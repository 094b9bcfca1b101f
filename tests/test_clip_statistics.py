import time

import numpy as np
import pytest
from scipy.stats import binomtest

from audiocls.stats import bootstrap_interval, intervals, mcnemar_p


def test_golden_4():
    assert mcnemar_p([1] * 5 + [-1] * 14) == pytest.approx(0.063568, abs=5e-7)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 6), (3, 3), (7, 2), (40, 61)])
def test_of_clips_heard_once_it_is_a_binomial_test_against_one_half(gained, lost):
    changes = np.array([1] * gained + [-1] * lost + [0] * 30)
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar_p(changes) == pytest.approx(expected)
    assert mcnemar_p(-changes) == mcnemar_p(changes)


def test_of_larger_changes_it_counts_every_pattern_of_signs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        gains = rng.integers(-4, 6, rng.integers(1, 14))
        signs = 1 - 2 * (np.arange(2 ** len(gains))[:, np.newaxis] >> np.arange(len(gains)) & 1)
        expected = np.mean(np.abs(signs @ gains) >= abs(gains.sum()))
        assert mcnemar_p(gains) == pytest.approx(expected)


def test_clips_that_change_sides_together_are_no_more_evidence_than_one():
    of_recordings = [4, -4, 4, 4, 4, 4]
    assert mcnemar_p(of_recordings) == mcnemar_p(np.sign(of_recordings))
    assert mcnemar_p([1] * 20 + [-1] * 4) < 0.002


def test_nothing_gained_or_lost_is_p_one_and_an_interval_of_zero():
    assert mcnemar_p([0, 0, 0]) == 1.0
    assert bootstrap_interval(np.zeros(9, int), np.full(9, 4)) == (0.0, 0.0)


def test_one_recording_gives_no_interval():
    assert bootstrap_interval(np.array([3]), np.array([10])) is None


def test_swapped_arms_mirror_the_interval():
    rng = np.random.default_rng(1)
    sums, counts = rng.integers(-3, 5, 60), rng.integers(4, 9, 60)
    low, high = bootstrap_interval(sums, counts)
    assert bootstrap_interval(-sums, counts) == pytest.approx((-high, -low))
    assert (low, high) == bootstrap_interval(sums, counts)


@pytest.mark.parametrize("at_once", [1, 200, 10**7])
def test_resamples_are_the_same_however_many_are_multiplied_at_once(at_once, monkeypatch):
    rng = np.random.default_rng(2)
    sums, counts = rng.integers(-3, 5, 60), rng.integers(4, 9, 60)
    whole = bootstrap_interval(sums, counts)
    monkeypatch.setattr(intervals, "_MULTIPLIED_AT_ONCE", at_once)
    assert bootstrap_interval(sums, counts) == whole


def draw(rng, num_sources, num_clips=5):
    """Gains of an arm in which half of what a clip does is its recording's doing."""
    effect = rng.normal(0.1, 0.5, (num_sources, 1))
    leaning = effect + rng.normal(0, 0.5, (num_sources, num_clips))
    return np.where(leaning > 0.6, 1, np.where(leaning < -0.6, -1, 0))


def test_the_interval_over_recordings_covers_the_truth_and_one_over_clips_does_not():
    """95 % of 300 simulated studies, give or take 3 binomial standard errors; of clips, 100."""
    rng = np.random.default_rng(2)
    truth = draw(rng, 200_000).mean()
    num, covered, covered_by_clips = 300, 0, 0
    for trial in range(num):
        gains = draw(rng, 60)
        counts = np.full(60, gains.shape[1])
        low, high = bootstrap_interval(gains.sum(1), counts, seed=trial)
        covered += low <= truth <= high
        if trial < 100:
            low, high = bootstrap_interval(gains.ravel(), np.ones(gains.size, int), seed=trial)
            covered_by_clips += low <= truth <= high
    assert 0.912 <= covered / num <= 0.988
    assert covered_by_clips / 100 < 0.85


def test_of_recordings_at_most_alpha_false_claims_and_of_clips_many_more():
    rng = np.random.default_rng(3)
    num, claims, claims_by_clips = 600, 0, 0
    for _ in range(num):
        gains = draw(rng, 40) * rng.choice([-1, 1], (40, 1))
        claims += mcnemar_p(gains.sum(1)) <= 0.05
        claims_by_clips += mcnemar_p(gains.ravel()) <= 0.05
    assert claims / num <= 0.05 + 2 * (0.05 * 0.95 / num) ** 0.5
    assert claims_by_clips / num > 0.15


def test_ten_thousand_resamples_of_two_thousand_recordings_take_a_moment():
    rng = np.random.default_rng(4)
    sums, counts = rng.integers(-2, 3, 2000), rng.integers(1, 5, 2000)
    start = time.process_time()
    bootstrap_interval(sums, counts)
    assert time.process_time() - start < 1.5
