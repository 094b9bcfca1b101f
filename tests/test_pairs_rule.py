"""The arithmetic of the rule of before, which the tables of the statistics compare with."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as oracle
from statsmodels.stats.power import TTestPower

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "error_rates"))

from pairs import (
    can_be_significant,
    corrected_t,
    detectable_effect,
    min_attainable_p,
    pairs_needed,
    sign_flip_p,
    spending,
    tost_p,
)

# Five ESC-50 folds of one recipe in two versions of a toolkit (ESPnet pull request 6762).
A = np.array([94.00, 95.75, 93.75, 95.75, 91.50])
B = np.array([94.3, 97.0, 94.8, 96.3, 91.8])
GOLDEN = list(A - B)


def test_golden_1_plain_paired_t_says_significant():
    test = corrected_t(GOLDEN, 0)
    assert test.mean == pytest.approx(-0.69)
    assert test.sd == pytest.approx(0.437893, abs=5e-7)
    assert test.p == pytest.approx(0.024374, abs=5e-7)


def test_golden_1_corrected_t_and_sign_flip_do_not():
    test = corrected_t(GOLDEN, 1 / 4)
    assert test.t == pytest.approx(-2.348957, abs=5e-7)
    assert test.p == pytest.approx(0.078605, abs=5e-7)
    assert (test.ci_low, test.ci_high) == pytest.approx((-1.505573, 0.125573), abs=5e-7)
    assert sign_flip_p(GOLDEN) == 0.0625


def test_golden_1_other_tests_of_the_table():
    assert oracle.ttest_ind(A, B, equal_var=False).pvalue == pytest.approx(0.580477, abs=5e-7)
    assert oracle.wilcoxon(A, B).pvalue == 0.0625


@pytest.mark.parametrize(
    ("num_comparisons", "num_pairs"), [(1, 6), (2, 7), (3, 7), (5, 8), (10, 9), (20, 10)]
)
def test_golden_2_pairs_needed(num_comparisons, num_pairs):
    assert pairs_needed(0.05, num_comparisons) == num_pairs
    assert can_be_significant(num_pairs, num_comparisons, 0.05)
    assert not can_be_significant(num_pairs - 1, num_comparisons, 0.05)


@pytest.mark.parametrize("num_pairs", range(1, 17))
def test_golden_2_smallest_p_is_what_consistent_pairs_give(num_pairs):
    assert sign_flip_p([0.5] * num_pairs) == min_attainable_p(num_pairs) == 2 / 2**num_pairs


@pytest.mark.parametrize(
    ("num_pairs", "effect"),
    {
        3: 3.264,
        4: 2.128,
        5: 1.682,
        6: 1.435,
        8: 1.156,
        10: 0.996,
        15: 0.778,
        25: 0.584,
        50: 0.404,
    }.items(),
)
def test_golden_3_detectable_effect(num_pairs, effect):
    assert detectable_effect(num_pairs) == pytest.approx(effect, abs=6e-4)


@pytest.mark.parametrize("num_pairs", [3, 6, 25])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_detectable_effect_has_the_power_it_promises(num_pairs, alpha):
    effect = detectable_effect(num_pairs, power=0.8, alpha=alpha)
    assert TTestPower().power(effect, num_pairs, alpha) == pytest.approx(0.8, abs=1e-3)


def test_no_effect_is_detectable_with_one_pair():
    assert detectable_effect(0) is None
    assert detectable_effect(1) is None
    assert detectable_effect(2) > detectable_effect(3)


def test_plain_t_equals_scipy():
    values = np.random.default_rng(0).normal(0.3, 1, 12)
    expected = oracle.ttest_1samp(values, 0)
    interval = expected.confidence_interval()
    test = corrected_t(values, 0)
    assert (test.t, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert (test.ci_low, test.ci_high) == pytest.approx((interval.low, interval.high))


def test_shared_training_clips_widen_the_interval():
    plain, corrected = corrected_t(GOLDEN, 0), corrected_t(GOLDEN, 0.25)
    assert corrected.ci_high - corrected.ci_low == pytest.approx(
        1.5 * (plain.ci_high - plain.ci_low)
    )


def test_one_difference_tells_nothing():
    test = corrected_t([0.3], 0.25)
    assert (test.mean, test.p, test.df) == (0.3, 1.0, 0)
    assert (test.ci_low, test.ci_high) == (-math.inf, math.inf)
    assert sign_flip_p([0.3]) == 1.0
    assert tost_p([0.0], 0.25, margin=1.0) == 1.0


def test_no_difference_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        corrected_t([], 0)


def test_identical_differences_have_an_interval_of_one_point():
    test = corrected_t([0.1] * 6, 0.25)
    assert (test.ci_low, test.mean, test.ci_high, test.sd, test.p) == (0.1, 0.1, 0.1, 0.0, 0.0)


def test_no_difference_at_all_is_no_effect():
    test = corrected_t([0.0] * 6, 0.25)
    assert (test.t, test.p) == (0.0, 1.0)
    assert sign_flip_p([0.0] * 6) == sign_flip_p([0.0] * 30) == 1.0
    assert tost_p([0.0] * 6, 0.25, margin=0.01) == 0.0


def test_what_agrees_to_the_clip_is_known_no_better_than_to_the_clip():
    """Ten test clips a fold that change sides two by two look the same, fold after fold."""
    assert tost_p([0.0] * 10, 0.25, margin=0.01, step=1 / 10) > 0.2
    assert tost_p([0.0] * 10, 0.25, margin=0.01, step=1 / 400) < 1e-6


def test_a_spread_beyond_the_step_is_left_as_it_is():
    values = [0.01, -0.02, 0.005, 0.015, -0.01]
    assert tost_p(values, 0.25, 0.03, step=0.01) == tost_p(values, 0.25, 0.03)


@pytest.mark.parametrize("num_pairs", [2, 5, 9, 12])
def test_sign_flip_equals_scipys_permutation_test(num_pairs):
    # Rounded, so that ties occur.
    values = np.random.default_rng(num_pairs).normal(0.5, 1, num_pairs).round(1)
    expected = oracle.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(values) == pytest.approx(expected.pvalue)


def test_monte_carlo_is_seeded_never_zero_and_near_the_normal_limit():
    values = np.random.default_rng(1).normal(0.3, 1, 60)
    expected = 2 * oracle.norm.sf(abs(values.sum()) / math.sqrt((values**2).sum()))
    assert sign_flip_p(values) == sign_flip_p(values)
    assert sign_flip_p(values) == pytest.approx(expected, abs=0.01)
    assert sign_flip_p([1.0] * 60) == 1 / 10_000


@pytest.mark.parametrize("num_pairs", [5, 15, 40])
def test_every_test_is_symmetric_in_the_sign(num_pairs):
    values = np.random.default_rng(2).normal(0.4, 1, num_pairs)
    there, back = corrected_t(values, 0.25), corrected_t(-values, 0.25)
    assert sign_flip_p(values) == sign_flip_p(-values)
    assert tost_p(values, 0.25, 0.5) == tost_p(-values, 0.25, 0.5)
    assert (there.p, there.ci_low, there.ci_high) == (back.p, -back.ci_high, -back.ci_low)


def test_tost_equals_the_worse_of_two_one_sided_tests():
    values = np.random.default_rng(3).normal(0.1, 0.5, 20)
    above = oracle.ttest_1samp(values, -0.4, alternative="greater").pvalue
    below = oracle.ttest_1samp(values, 0.4, alternative="less").pvalue
    assert tost_p(values, 0, margin=0.4) == pytest.approx(max(above, below))


def test_golden_5_standard_error_of_one_fold():
    assert 100 * oracle.binom(400, 0.95).std() / 400 == pytest.approx(1.09, abs=0.005)


@pytest.mark.parametrize("num_comparisons", [1, 3, 10])
def test_all_looks_that_can_claim_spend_less_than_alpha_together_and_in_the_end_all_of_it(
    num_comparisons,
):
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes = list(np.cumsum(rng.integers(1, 9, size=60)))
        levels = spending(0.05, sizes, num_comparisons)
        able = [can_be_significant(size, num_comparisons, 0.025) for size in sizes]
        spent = sum(level for level, is_able in zip(levels, able, strict=True) if is_able)
        assert 0.025 < spent < 0.05
        assert min(levels) > 0
    endless = [8 * 2**k for k in range(20)]
    assert sum(spending(0.05, endless)) == pytest.approx(0.05, rel=1e-5)


def test_looks_to_come_never_change_the_level_of_one_that_was():
    sizes = [4, 6, 9, 13, 19, 28, 42]
    for num in range(1, len(sizes)):
        assert spending(0.05, sizes[:num], 2) == spending(0.05, sizes, 2)[:num]


def test_a_look_that_cannot_claim_claims_nothing_at_the_level_it_is_shown():
    sizes = [2, 3, 4, 6, 9]
    for size, level in zip(sizes, spending(0.05, sizes, 3), strict=True):
        is_spending = can_be_significant(size, 3, 0.025)
        assert is_spending == can_be_significant(size, 3, level)
        assert is_spending or sign_flip_p([0.1] * size) * 3 > level
