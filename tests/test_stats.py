import numpy as np
import pytest
from scipy import stats as oracle
from statsmodels.stats.multitest import multipletests

from audiocls.stats import (
    FoldDifferences,
    VarianceComponents,
    anytime_errors,
    components_of,
    equivalence_p,
    half_width,
    holm,
    is_futile,
    of_mean,
    overlap_factor,
    p_value,
    rarest_excluded,
    share_interval,
    stacked,
    uncertainties,
    with_one_won_and_one_lost,
)
from audiocls.stats.growing import anytime_quantile

RATIO = 1 / 3
SEEDS_AND_FOLDS = [(1, 5), (3, 5), (8, 1), (7, 2)]


def drawn(num_seeds, num_folds, num_recordings=40, lasting=0.1, noise=0.1, seed=0):
    """Folds of differences, each recording's score drawn by itself."""
    rng = np.random.default_rng(seed)
    folds = []
    for _ in range(num_folds):
        scores = lasting * rng.normal(size=(1, num_recordings))
        scores = scores + noise * rng.normal(size=(num_seeds, num_recordings))
        own = of_mean(scores, np.arange(num_recordings))
        folds.append(FoldDifferences(scores.mean(axis=1), own))
    return folds


def of_one(folds, **options):
    return stacked([components_of(folds, **options)])


def without_predictions(folds):
    return [FoldDifferences(fold.trials) for fold in folds]


def p_of(components, ratio=RATIO):
    errors = uncertainties(components, ratio)
    return float(p_value(errors, np.abs(components.mean))[0])


def test_holm_equals_statsmodels_and_keeps_the_order_of_its_input():
    assert holm([0.04, 0.001, 0.03, 0.5]) == pytest.approx([0.09, 0.004, 0.09, 0.5])
    assert holm([]) == []
    rng = np.random.default_rng(4)
    for num in (1, 2, 5, 40):
        ps = list(rng.uniform(size=num).round(2) ** 3)
        assert holm(ps) == pytest.approx(list(multipletests(ps, method="holm")[1]))


def test_golden_5_standard_error_of_one_fold():
    assert 100 * oracle.binom(400, 0.95).std() / 400 == pytest.approx(1.09, abs=0.005)


def test_components_are_those_of_the_scores_in_expectation():
    """R = lasting + both, and S = both, where nothing befalls a whole training."""
    lasting, noise, num_seeds, num_folds, num = 0.2, 0.3, 3, 5, 40
    every = [drawn(num_seeds, num_folds, num, lasting, noise, seed=s) for s in range(300)]
    found = stacked([components_of(folds) for folds in every])
    of_seeds = noise**2 / num / num_folds / num_seeds
    of_recordings = lasting**2 / num / num_folds
    assert found.both.mean() == pytest.approx(of_seeds, rel=0.03)
    assert found.seed.mean() == pytest.approx(of_seeds, rel=0.1)
    assert found.recording.mean() == pytest.approx(of_recordings + of_seeds, rel=0.03)
    assert found.fold.mean() == pytest.approx(of_recordings + of_seeds, rel=0.15)
    assert found.mean.var() == pytest.approx(of_recordings + of_seeds, rel=0.2)


def test_one_fold_without_predictions_is_the_paired_t_test():
    values = np.random.default_rng(0).normal(0.3, 1, 12)
    expected = oracle.ttest_1samp(values, 0)
    components = of_one([FoldDifferences(values)])
    assert p_of(components) == pytest.approx(expected.pvalue)
    half = half_width(uncertainties(components, RATIO), 0.05)[0]
    interval = expected.confidence_interval()
    assert half == pytest.approx((interval.high - interval.low) / 2)


def test_seeds_of_a_fold_are_no_replicates_of_the_data():
    """Twenty seeds on each of two folds that disagree: forty pairs, but two facts."""
    rng = np.random.default_rng(0)
    folds = [FoldDifferences(mean + 0.001 * rng.normal(size=20)) for mean in (0.02, 0.06)]
    assert oracle.ttest_1samp(np.concatenate([f.trials for f in folds]), 0).pvalue < 1e-12
    assert p_of(of_one(folds)) > 0.2


def test_golden_1_of_five_folds_shows_no_difference():
    """ESC-50's folds of one recipe in two versions of a toolkit (ESPnet pull request 6762)."""
    differences = [-0.30, -1.25, -1.05, -0.55, -0.30]
    components = of_one([FoldDifferences(np.array([value])) for value in differences])
    error = 0.437893 / 5**0.5 * overlap_factor(5, 1 / 4) ** 0.5
    assert components.mean[0] == pytest.approx(-0.69)
    assert p_of(components, 1 / 4) == pytest.approx(2 * oracle.t.sf(0.69 / error, 4), abs=1e-5)
    assert p_of(components, 1 / 4) > 0.05


@pytest.mark.parametrize(("num_seeds", "num_folds"), SEEDS_AND_FOLDS)
def test_an_interval_ends_at_0_where_p_is_its_level(num_seeds, num_folds):
    for folds in (drawn(num_seeds, num_folds), without_predictions(drawn(num_seeds, num_folds))):
        components = of_one(folds)
        p = p_of(components)
        half = half_width(uncertainties(components, RATIO), p)
        assert half[0] == pytest.approx(abs(components.mean[0]))


@pytest.mark.parametrize(("num_seeds", "num_folds"), SEEDS_AND_FOLDS)
def test_every_error_is_symmetric_in_the_sign(num_seeds, num_folds):
    folds = drawn(num_seeds, num_folds)
    turned = [FoldDifferences(-fold.trials, -fold.influences) for fold in folds]
    assert p_of(of_one(folds)) == p_of(of_one(turned))


def test_order_of_seeds_folds_and_recordings_means_nothing():
    folds = drawn(3, 5)
    rng = np.random.default_rng(1)
    turned = [
        FoldDifferences(fold.trials[order], fold.influences[order][:, rng.permutation(40)])
        for fold in reversed(folds)
        for order in [rng.permutation(3)]
    ]
    assert p_of(of_one(folds)) == pytest.approx(p_of(of_one(turned)))


def test_folds_with_unlike_numbers_of_seeds_weigh_the_same():
    folds = drawn(3, 2)
    fewer = [folds[0], FoldDifferences(folds[1].trials[:2], folds[1].influences[:2])]
    components = components_of(fewer)
    assert components.mean == pytest.approx(np.mean([f.trials.mean() for f in fewer]))
    squares = sum(((f.trials - f.trials.mean()) ** 2).sum() for f in fewer)
    assert components.seed == pytest.approx(squares / 3 * (1 / 3 + 1 / 2) / 4)


def test_a_fold_of_one_recording_is_refused():
    with pytest.raises(ValueError, match="at least two recordings, got 1"):
        components_of([FoldDifferences(np.zeros(2), np.zeros((2, 1)))])


def test_trainings_that_agree_to_the_clip_are_no_proof():
    """Two pairs with the same clip gained are not p = 0, with predictions or without."""
    same = [FoldDifferences(np.array([0.025, 0.025]))]
    assert p_of(of_one(same)) == 0
    assert p_of(of_one(same, step=0.025)) > 0.05
    own = np.full(40, -0.025 / 40)
    own[3] += 0.025
    known = [FoldDifferences(same[0].trials, np.tile(own, (2, 1)))]
    assert p_of(of_one(known, step=0.025)) > 0.3


def test_one_training_each_tells_nothing():
    alone = of_one([FoldDifferences(np.array([0.3]))])
    assert np.isinf(half_width(uncertainties(alone, RATIO), 0.05)).all()
    assert p_of(alone) == 1


def test_arms_share_what_few_folds_tell_of_the_noise_but_an_odd_one_is_judged_by_itself():
    rng = np.random.default_rng(3)

    def folds(sd):
        return [FoldDifferences(np.array([0.02 + sd * rng.normal()])) for _ in range(3)]

    quiet, also, wild = (components_of(folds(sd)) for sd in (0.01, 0.01, 0.2))
    alone, together = stacked([quiet]), stacked([quiet, also])
    sharper = half_width(uncertainties(together, RATIO), 0.05).mean()
    assert sharper < half_width(uncertainties(alone, RATIO), 0.05).mean()
    among = half_width(uncertainties(stacked([quiet, wild]), RATIO), 0.05)
    own = uncertainties(stacked([wild]), RATIO)[0].error
    assert uncertainties(stacked([quiet, wild]), RATIO)[0].error[1] == pytest.approx(own[0])
    assert among[1] > among[0]


def test_few_clips_that_agree_exclude_no_small_difference():
    """Ten seeds on the same 40 clips, all right in both arms, are not ±1 point."""
    equal = of_one([FoldDifferences(np.zeros(10), np.zeros((10, 40)))], step=1 / 40)
    careful = with_one_won_and_one_lost(equal, 40, 1.0)
    ps = [
        float(equivalence_p(uncertainties(careful, RATIO), equal.mean, margin)[0])
        for margin in (0.01, 0.08)
    ]
    assert ps[0] > 0.3
    assert ps[1] <= 0.05


def test_equivalence_of_one_fold_without_predictions_is_two_one_sided_t_tests():
    values = np.random.default_rng(3).normal(0.1, 0.5, 20)
    above = oracle.ttest_1samp(values, -0.4, alternative="greater").pvalue
    below = oracle.ttest_1samp(values, 0.4, alternative="less").pvalue
    components = of_one([FoldDifferences(values)])
    found = equivalence_p(uncertainties(components, 0.0), components.mean, 0.4)
    assert found[0] == pytest.approx(max(above, below))


def test_a_difference_beyond_the_margin_is_never_equivalent():
    components = of_one(drawn(3, 5))
    far = np.array([0.5])
    assert equivalence_p(uncertainties(components, RATIO), far, 0.01)[0] > 0.99


@pytest.mark.parametrize(("num_seeds", "num_folds"), [(3, 5), (8, 1)])
def test_errors_at_any_time_are_wider_and_their_p_ends_their_interval(num_seeds, num_folds):
    components = of_one(drawn(num_seeds, num_folds, seed=4))
    fixed, always = uncertainties(components, RATIO), anytime_errors(components, RATIO)
    assert half_width(always, 0.05)[0] > half_width(fixed, 0.05)[0]
    growing = always[0]
    p = growing.p(np.abs(components.mean))
    if p[0] < 1:
        assert growing.half_width(p)[0] == pytest.approx(abs(components.mean[0]), rel=1e-6)


def test_the_anytime_quantile_is_where_the_e_process_reaches_1_over_alpha():
    num, alpha, effect_variance = 10, 0.05, 0.5
    t = float(anytime_quantile(num, 1, alpha))
    df, shrunk = num - 1, 1 + num * effect_variance
    evidence = shrunk**-0.5 * ((1 + t**2 / df) / (1 + t**2 / (df * shrunk))) ** ((df + 1) / 2)
    assert evidence == pytest.approx(1 / alpha)


def test_an_effect_is_out_of_sight_only_with_an_interval_inside_it():
    components = of_one(drawn(3, 5, lasting=0.05, noise=0.05))
    half = half_width(uncertainties(components, RATIO), 0.1)[0] + abs(components.mean[0])
    assert is_futile(components, RATIO, half * 1.01)[0]
    assert not is_futile(components, RATIO, half * 0.99)[0]


@pytest.mark.parametrize("half", [0.0, 0.01, 0.3, 5.0, 1e6])
@pytest.mark.parametrize("share", [0.0, 1e-9, 0.2, 0.5, 0.99, 1.0])
def test_an_interval_of_a_share_stays_within_0_and_1_and_holds_the_share(share, half):
    low, high = share_interval(share, half, num_units=40)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_an_interval_of_a_share_with_binomial_error_is_wilsons():
    num, share = 50, 0.86
    half = 1.959964 * (share * (1 - share) / num) ** 0.5
    expected = oracle.binomtest(43, 50).proportion_ci(method="wilson")
    found = share_interval(share, half, num_units=0)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-5)


def test_what_no_training_showed_may_still_befall_one():
    assert 1 - (1 - rarest_excluded(10)) ** 10 == pytest.approx(0.95)


def test_components_of_arms_stand_side_by_side():
    one, other = (components_of(drawn(2, 3, seed=seed)) for seed in (1, 2))
    both = stacked([one, other])
    assert isinstance(both, VarianceComponents)
    assert both.mean.tolist() == [one.mean, other.mean]
    assert both.layout == one.layout
