"""What `plan` promises is what `compare` keeps: power of the rule, and noise as it is estimated."""

import math

import numpy as np
import pytest
from helpers.simulation import RATIO, sign_flip_ps, study_of_differences, t_test_ps
from scipy import stats as oracle

from audiocls.analysis import compare
from audiocls.stats import (
    Allocation,
    binomial_error,
    can_be_significant,
    cheapest,
    components,
    corrected_t,
    detectable_effect,
    holm,
    limit_of_seeds,
    minimum_detectable_effect,
    pooled,
    power_of_rule,
    sign_flip_p,
)
from audiocls.stats.tests import resamples_for

NUM_STUDIES = 10_000


def differences(num, num_pairs, num_arms, ratio, effect, seed=0):
    """Studies whose first arm has an effect, in the model of Nadeau and Bengio.

    Shape: → (studies, arms, pairs)
    """
    rng = np.random.default_rng(seed)
    shared = math.sqrt(ratio) * rng.normal(size=(num, num_arms, 1))
    drawn = shared + rng.normal(size=(num, num_arms, num_pairs))
    drawn[:, 0] += effect
    return drawn.round(12)


def shares_better(drawn, ratio, alpha=0.05):
    """Which studies find the first arm better: the verdict's rule for all of them at once."""
    num_arms = drawn.shape[1]
    ps = t_test_ps(drawn, ratio)
    # A p that exceeds α already changes neither its own verdict nor a smaller one's.
    open_ones = ps <= alpha
    ps[open_ones] = np.maximum(ps[open_ones], sign_flip_ps(drawn[open_ones], alpha / num_arms))
    first = np.array([holm(row)[0] for row in ps.tolist()])
    reachable = can_be_significant(drawn.shape[2], num_arms, alpha)
    return reachable & (first <= alpha) & (drawn[:, 0].mean(axis=1) > 0)


SETTINGS = [(3, 5, 1), (3, 5, 3), (10, 1, 1), (10, 1, 3), (1, 10, 1), (2, 5, 1), (2, 5, 3)]


@pytest.mark.parametrize(("num_seeds", "num_folds", "num_arms"), SETTINGS)
def test_studies_find_the_promised_effect_as_often_as_promised(num_seeds, num_folds, num_arms):
    ratio = RATIO if num_folds > 1 else 0.0
    effect = minimum_detectable_effect(num_seeds * num_folds, ratio, num_arms)
    drawn = differences(NUM_STUDIES, num_seeds * num_folds, num_arms, ratio, effect)
    found = shares_better(drawn, ratio)
    assert found.mean() == pytest.approx(0.8, abs=0.03)
    for arms, is_better in zip(drawn[:25], found[:25], strict=True):
        verdict = compare(*study_of_differences(arms, num_seeds, num_folds)).compared[0].verdict
        assert (verdict == "better") == is_better


@pytest.mark.parametrize(("num_studies", "num_arms", "alpha"), [(2_000, 2, 0.05), (1_000, 1, 5e-4)])
def test_beyond_exact_flips_the_promise_is_kept_too(num_studies, num_arms, alpha):
    effect = minimum_detectable_effect(20, 0.0, num_arms, alpha=alpha)
    drawn = differences(num_studies, 20, num_arms, 0.0, effect)
    assert shares_better(drawn, 0.0, alpha).mean() == pytest.approx(0.8, abs=0.03)
    num = resamples_for(alpha / num_arms)
    for arms in drawn[:25]:
        values = list(arms[0])
        rule = sign_flip_ps(arms[:1], alpha / num_arms)[0], t_test_ps(arms[0], 0.0)
        told = sign_flip_p(values, num_resamples=num), corrected_t(values, 0).p
        assert rule == pytest.approx(told)


@pytest.mark.parametrize("power", [0.3, 0.5, 0.95])
def test_power_at_the_promised_effect_is_the_power_asked_for(power):
    effect = minimum_detectable_effect(10, RATIO, 2, power)
    assert power_of_rule(effect, 10, RATIO, 2) == pytest.approx(power, abs=1e-6)
    drawn = differences(NUM_STUDIES, 10, 2, RATIO, effect, seed=1)
    assert shares_better(drawn, RATIO).mean() == pytest.approx(power, abs=0.03)


@pytest.mark.parametrize("num_pairs", [6, 7, 8, 10, 15, 25, 50])
def test_the_rule_sees_no_more_than_a_t_test_and_little_less_with_many_pairs(num_pairs):
    seen, by_t = minimum_detectable_effect(num_pairs), detectable_effect(num_pairs)
    assert seen >= by_t
    assert num_pairs < 10 or seen <= 1.02 * by_t


def test_no_effect_can_be_promised_where_no_arm_could_win():
    for num_pairs in range(1, 9):
        for num_comparisons in (1, 2, 5):
            can_win = can_be_significant(num_pairs, num_comparisons, 0.05)
            assert (minimum_detectable_effect(num_pairs, 0, num_comparisons) is not None) == can_win
    assert power_of_rule(100.0, 5) == 0.0


@pytest.mark.parametrize("ratio", [0.0, RATIO])
def test_more_pairs_see_more_and_more_comparisons_less(ratio):
    several = [minimum_detectable_effect(num, ratio, 3) for num in range(7, 21)]
    assert several == sorted(several, reverse=True)
    by_family = [minimum_detectable_effect(12, ratio, num) for num in (1, 2, 5, 10)]
    assert by_family == sorted(by_family)


def test_overlapping_folds_set_a_limit_that_seeds_approach_and_never_pass():
    limit = limit_of_seeds(RATIO)
    assert limit == pytest.approx(math.sqrt(RATIO) * (1.959964 + 0.841621), abs=1e-6)
    assert limit < minimum_detectable_effect(100, RATIO) < 1.05 * limit


@pytest.mark.parametrize("effect", [0.7, 0.9, 1.3, 1.95, 2.6])
@pytest.mark.parametrize("num_comparisons", [1, 3])
def test_the_allocation_is_the_cheapest_of_all(effect, num_comparisons):
    enough = [
        (seeds * folds, -folds)
        for folds in range(1, 6)
        for seeds in range(1, 30 // folds + 1)
        if (seen := minimum_detectable_effect(seeds * folds, RATIO * (folds > 1), num_comparisons))
        and seen <= effect
    ]
    num, folds = min(enough)
    assert cheapest(effect, range(1, 6), RATIO, num_comparisons) == Allocation(
        num // -folds, -folds
    )


def test_an_effect_below_the_limit_is_allocated_to_one_fold_or_to_none():
    assert cheapest(1.5, range(2, 6), RATIO) is None
    assert cheapest(1.5, range(1, 6), RATIO) == Allocation(7, 1)
    assert cheapest(0.01, range(1, 6), RATIO) is None


def grids(num, num_seeds, num_folds, seed_sd, fold_sd, rest_sd):
    rng = np.random.default_rng(0)
    by_seed = seed_sd * rng.normal(size=(num, num_seeds, 1))
    by_fold = fold_sd * rng.normal(size=(num, 1, num_folds))
    return 0.8 + by_seed + by_fold + rest_sd * rng.normal(size=(num, num_seeds, num_folds))


def test_components_recover_the_sds_that_made_the_data():
    truth = {"seed": 0.02, "fold": 0.03, "interaction": 0.01}
    found = [components(grid) for grid in grids(1_500, 6, 5, *truth.values())]
    for name, sd in truth.items():
        spreads = [each.sources[name] for each in found]
        assert np.mean([s.sd**2 for s in spreads]) == pytest.approx(sd**2, rel=0.07)
        assert 0.93 < np.mean([s.low <= sd <= s.high for s in spreads]) < 0.98
    pair = math.sqrt(2 * (0.02**2 + 0.01**2))
    assert np.mean([f.pair.sd**2 for f in found]) == pytest.approx(pair**2, rel=0.05)
    assert 0.9 < np.mean([f.pair.low <= pair <= f.pair.high for f in found]) < 0.98


def test_one_arm_alone_tells_the_spread_of_pairs_that_share_only_the_fold():
    rng = np.random.default_rng(5)
    folds = 0.05 * rng.normal(size=(2_000, 1, 5))
    arms = folds + grids(4_000, 3, 5, 0.02, 0.0, 0.01).reshape(2, 2_000, 3, 5)
    spread = (arms[0] - arms[1])[:, 0, 0].std()
    told = math.sqrt(np.mean([components(grid).pair.sd ** 2 for grid in arms[0]]))
    assert told == pytest.approx(spread, rel=0.04)


def test_a_negative_component_is_told_as_zero_with_an_upper_bound():
    found = [components(grid).sources["seed"] for grid in grids(300, 3, 5, 0.0, 0.01, 0.02)]
    zero = [each for each in found if each.sd == 0]
    assert len(zero) > 100
    assert all(each.low == 0 for each in found if each.sd == 0)
    assert np.mean([each.low == 0 for each in found]) > 0.95
    assert max(each.high for each in zero) > 0


@pytest.mark.parametrize(("shape", "name"), [((8, 1), "seed"), ((1, 8), "fold")])
def test_with_one_fold_or_one_seed_only_a_sum_is_estimable(shape, name):
    grid = grids(1, *shape, 0.02, 0.03, 0.01)[0]
    found = components(grid)
    assert list(found.sources) == [f"{name} and interaction"]
    spread = found.sources[f"{name} and interaction"]
    assert spread.sd == pytest.approx(grid.std(ddof=1))
    assert found.pair.sd == pytest.approx(math.sqrt(2) * spread.sd)
    low, high = (math.sqrt(7 * spread.sd**2 / q) for q in oracle.chi2.ppf([0.975, 0.025], 7))
    assert (spread.low, spread.high) == pytest.approx((low, high))


def test_trials_that_all_agree_have_no_spread():
    found = components(np.full((3, 5), 0.9))
    assert found.pair.sd == found.pair.high == 0
    assert {each.sd for each in found.sources.values()} == {0.0}


def test_pooled_differences_are_measured_around_the_mean_of_each_arm():
    rng = np.random.default_rng(0)
    groups = [list(mean + rng.normal(0, 0.02, 15)) for mean in (-0.1, 0.0, 0.2)]
    spread = pooled([*groups, [0.5]])
    assert spread.df == pytest.approx(42 / 1.5)
    assert spread.sd == pytest.approx(math.sqrt(np.mean([np.var(g, ddof=1) for g in groups])))
    assert spread.low < 0.02 < spread.high
    assert pooled([[0.1], []]) is None


@pytest.mark.parametrize("num_arms", [1, 3, 10])
def test_the_interval_of_pooled_differences_knows_that_arms_share_their_reference(num_arms):
    rng, num = np.random.default_rng(0), 2_000
    held = 0
    for _ in range(num):
        spread = pooled((rng.normal(size=(num_arms, 5)) - rng.normal(size=5)).tolist())
        held += spread.low <= math.sqrt(2) <= spread.high
    assert held / num == pytest.approx(0.95, abs=0.02)


def test_golden_5_test_set_sampling_alone():
    assert 100 * binomial_error(0.95, 400) == pytest.approx(1.09, abs=0.005)
    assert binomial_error(0.95, 400) == pytest.approx(oracle.binom(400, 0.95).std() / 400)
