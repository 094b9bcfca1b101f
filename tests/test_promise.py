"""What `plan` promises is what the rule keeps: power, and the noise by which it is foretold."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as oracle

from audiocls.stats import (
    EvaluationProtocol,
    FoldDifferences,
    Spread,
    assumed_spread,
    binomial_error,
    components,
    components_of,
    detectable_effect,
    fewest_seeds,
    half_width,
    overlap_factor,
    smallest_effect,
    spread_of,
    spread_of_pairs,
    uncertainties,
)
from audiocls.stats.planning import LASTING_SHARE, MAX_SEEDS

RATIO = 1 / 3
"""Test clips per training clip of five folds: one to test, one to choose, three to train on."""
RECORDINGS = 30
SOME = Spread(lasting=1.0, by_clip=1.0, whole=0.5)
STILL = Spread(lasting=1.0, by_clip=0.05, whole=0.0)
NOISY = Spread(lasting=0.1, by_clip=1.0, whole=2.0)


def studies(spread, num, num_seeds, num_folds, num_arms, draw=0):
    """Return the components of simulated studies whose arms share a baseline.

    The overlap of training sets adds what no study sees: half of what the rule allows for it.
    """
    rng = np.random.default_rng(draw)

    def arm_minus_baseline(variance, *shape):
        drawn = math.sqrt(variance / 2) * rng.normal(size=(num, num_arms + 1, *shape))
        return drawn[:, 1:] - drawn[:, :1]

    hidden = (overlap_factor(num_folds, RATIO) - 1) / 2 * spread.lasting / num_folds
    luck = arm_minus_baseline(hidden, 1)
    folds = []
    for _ in range(num_folds):
        clips = arm_minus_baseline(spread.lasting * RECORDINGS, 1, RECORDINGS)
        clips = clips + arm_minus_baseline(spread.by_clip * RECORDINGS, num_seeds, RECORDINGS)
        means = clips.mean(axis=-1)
        trials = means + arm_minus_baseline(spread.whole, num_seeds) + luck
        folds.append(FoldDifferences(trials, (clips - means[..., None]) / RECORDINGS))
    return components_of(folds)


def power_at(effect, found, num_arms):
    """The share of studies that claim the first arm better, no other arm being any better."""
    half = half_width(uncertainties(found, RATIO), 0.05 / num_arms)
    return (found.mean[:, 0] + effect > half[:, 0]).mean()


def promised(spread, num_seeds, num_folds, num_arms=1, **options):
    return detectable_effect(spread, num_seeds, protocol(num_folds), num_arms, **options)


def protocol(num_folds):
    return EvaluationProtocol(num_folds, RECORDINGS * num_folds, RATIO)


@pytest.mark.parametrize("spread", [SOME, STILL, NOISY])
@pytest.mark.parametrize(
    ("num_seeds", "num_folds", "num_arms"), [(1, 5, 1), (3, 5, 3), (8, 1, 1), (2, 5, 1), (4, 2, 3)]
)
def test_the_promised_effect_is_found_as_often_as_promised(spread, num_seeds, num_folds, num_arms):
    found = studies(spread, 2_000, num_seeds, num_folds, num_arms)
    effect = promised(spread, num_seeds, num_folds, num_arms)
    assert power_at(effect, found, num_arms) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("power", [0.5, 0.95])
def test_so_is_another_power(power):
    found = studies(SOME, 2_000, 3, 5, 1)
    assert power_at(promised(SOME, 3, 5, power=power), found, 1) == pytest.approx(power, abs=0.03)


def test_more_seeds_see_more_and_more_comparisons_less():
    by_seeds = [promised(SOME, num, 5) for num in (1, 2, 3, 5, 10, 30)]
    assert by_seeds == sorted(by_seeds, reverse=True)
    by_arms = [promised(SOME, 2, 5, num) for num in (1, 2, 10, 100)]
    assert by_arms == sorted(by_arms)


def test_all_folds_see_far_more_than_as_many_trials_on_a_part_of_them():
    assert promised(SOME, 2, 5) < promised(SOME, 5, 2) / 3


def test_nothing_is_promised_of_one_training_on_one_fold():
    assert promised(SOME, 1, 1) == math.inf
    assert detectable_effect(SOME, 1, EvaluationProtocol(1, 0, RATIO)) == math.inf


@pytest.mark.parametrize(("num_folds", "spread"), [(5, SOME), (1, SOME), (5, NOISY)])
def test_recordings_set_a_limit_that_seeds_approach_and_never_pass(num_folds, spread):
    limit = smallest_effect(spread, protocol(num_folds))
    many = replace(spread, by_clip=spread.by_clip / 50, whole=spread.whole / 50)
    assert limit < promised(spread, MAX_SEEDS, num_folds)
    assert promised(many, MAX_SEEDS, num_folds) < 1.05 * limit


def test_the_fewest_seeds_are_found_without_trying_all():
    tried = []

    def effect_of(num_seeds):
        tried.append(num_seeds)
        return 1 / num_seeds

    for fewest in (1, 2, 7, 16, 99, 100):
        assert fewest_seeds(effect_of, 1.0001 / fewest) == fewest
    assert len(tried) < 80
    assert fewest_seeds(effect_of, 1 / 101) is None


def test_the_spread_that_made_a_study_is_found_in_it():
    found = spread_of(studies(SOME, 2_000, 3, 5, 1))
    assert found.lasting == pytest.approx(SOME.lasting, rel=0.05)
    assert found.by_clip == pytest.approx(SOME.by_clip, rel=0.05)
    assert found.whole == pytest.approx(SOME.whole, rel=0.05)


def test_one_seed_tells_the_sum_and_what_lasts_is_assumed():
    found = spread_of(studies(SOME, 2_000, 1, 5, 1))
    assert found.lasting + found.by_clip == pytest.approx(SOME.lasting + SOME.by_clip, rel=0.05)
    assert found.lasting == pytest.approx(LASTING_SHARE * found.by_clip)
    assert found.whole == pytest.approx(SOME.whole, rel=0.1)


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_without_predictions_folds_stand_for_recordings_and_all_is_of_whole_trainings(num_seeds):
    rng = np.random.default_rng(0)
    lasting = rng.normal(size=(4_000, 1, 5, 1))
    trials = lasting + math.sqrt(2) * rng.normal(size=(4_000, 1, 5, num_seeds))
    found = spread_of(components_of([FoldDifferences(trials[:, :, fold]) for fold in range(5)]))
    assert found.by_clip == 0
    assert found.lasting + found.whole == pytest.approx(3, rel=0.05)
    share = 1 / 3 if num_seeds > 1 else LASTING_SHARE / (1 + LASTING_SHARE)
    assert found.lasting == pytest.approx(3 * share, rel=0.1)
    assert math.isfinite(detectable_effect(found, num_seeds, EvaluationProtocol(5, 0, RATIO)))


def test_one_arm_tells_how_much_two_of_its_kind_differ_by_their_trainings():
    rng = np.random.default_rng(0)
    difficulty = rng.normal(size=(500, 1, 1, RECORDINGS))
    clips = difficulty + 0.7 * rng.normal(size=(500, 1, 4, RECORDINGS))
    trials = clips.mean(axis=-1) + 0.2 * rng.normal(size=(500, 1, 4))
    influences = (clips - clips.mean(axis=-1, keepdims=True)) / RECORDINGS
    found = spread_of_pairs(components_of([FoldDifferences(trials, influences)]))
    assert found.by_clip == pytest.approx(2 * 0.7**2 / RECORDINGS, rel=0.05)
    assert found.whole == pytest.approx(2 * 0.2**2, rel=0.1)
    assert found.lasting == pytest.approx(LASTING_SHARE * found.by_clip)


def test_an_assumed_share_of_recordings_is_the_variance_of_their_mean():
    found = assumed_spread(0.1, 50)
    assert found.lasting + found.by_clip == pytest.approx(0.1 / 50)


def grids(num, num_seeds, num_folds, seed_sd, fold_sd, rest_sd):
    rng = np.random.default_rng(0)
    by_seed = seed_sd * rng.normal(size=(num, num_seeds, 1))
    by_fold = fold_sd * rng.normal(size=(num, 1, num_folds))
    return 0.8 + by_seed + by_fold + rest_sd * rng.normal(size=(num, num_seeds, num_folds))


def test_components_recover_the_sds_that_made_the_data():
    truth = {"seed": 0.02, "fold": 0.03, "interaction": 0.01}
    found = [components(grid) for grid in grids(1_500, 6, 5, *truth.values())]
    for name, sd in truth.items():
        spreads = [each[name] for each in found]
        assert np.mean([s.sd**2 for s in spreads]) == pytest.approx(sd**2, rel=0.07)
        assert 0.93 < np.mean([s.low <= sd <= s.high for s in spreads]) < 0.98


def test_a_negative_component_is_told_as_zero_with_an_upper_bound():
    found = [components(grid)["seed"] for grid in grids(300, 3, 5, 0.0, 0.01, 0.02)]
    zero = [each for each in found if each.sd == 0]
    assert len(zero) > 100
    assert all(each.low == 0 for each in found if each.sd == 0)
    assert np.mean([each.low == 0 for each in found]) > 0.95
    assert max(each.high for each in zero) > 0


@pytest.mark.parametrize(("shape", "name"), [((8, 1), "seed"), ((1, 8), "fold")])
def test_with_one_fold_or_one_seed_only_a_sum_is_estimable(shape, name):
    grid = grids(1, *shape, 0.02, 0.03, 0.01)[0]
    found = components(grid)
    assert list(found) == [f"{name} and interaction"]
    spread = found[f"{name} and interaction"]
    assert spread.sd == pytest.approx(grid.std(ddof=1))
    low, high = (math.sqrt(7 * spread.sd**2 / q) for q in oracle.chi2.ppf([0.975, 0.025], 7))
    assert (spread.low, spread.high) == pytest.approx((low, high))


def test_trials_that_all_agree_have_no_spread():
    assert {each.sd for each in components(np.full((3, 5), 0.9)).values()} == {0.0}


def test_golden_5_test_set_sampling_alone():
    assert 100 * binomial_error(0.95, 400) == pytest.approx(1.09, abs=0.005)
    assert binomial_error(0.95, 400) == pytest.approx(oracle.binom(400, 0.95).std() / 400)
