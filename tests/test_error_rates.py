"""How often a study claims what is not there: in at most α of studies, by simulation.

Learners are trained on overlapping sets of fresh data, or drawn by their sources of variance
(`benchmarks/error_rates`), all arms alike. `compare` itself says the same of some of the studies.
What exceeds α is named, and told in the documentation as not supported.
"""

import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.records import finished_study

from audiocls.analysis import compare
from audiocls.analysis.influences import Influences
from audiocls.analysis.interim import first_look, with_next_look
from audiocls.stats import FoldDifferences, components_of, half_width, uncertainties
from audiocls.stats.growing import anytime_quantile

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "error_rates"))

import learners
from accuracies import Sources
from effects import effect_claims
from fitting import World
from looks import anytime, equivalence
from macro_f1 import f1_differences
from ranked import auroc_differences
from rules import claims, crossed, two_units
from settings import (
    ALIKE,
    ALL_FOLDS,
    FOLD_LUCK,
    LAYOUTS,
    LEARNERS,
    PART,
    SHARES,
    TRAININGS,
    UNLIKE,
    UNLIKE_AND_SKEWED,
    UNSUPPORTED,
    by_sources,
    mechanistic,
    with_shifts,
)

ALPHA = 0.05
EFFECTS = ("better", "worse")
EQUAL = [*LEARNERS, *TRAININGS, *UNLIKE]
LUCKY = [*FOLD_LUCK, *SHARES]
SEVERAL_FOLDS = [*PART, *ALL_FOLDS]


def at_most(is_claim, alpha=ALPHA):
    """Within two standard errors of the simulation."""
    return np.mean(is_claim) <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / len(is_claim))


def check(found):
    """With predictions; and without, where folds say what other clips would have shown."""
    assert at_most(claims(two_units, found))
    if found.num_folds > 1:
        assert at_most(claims(crossed, found))


def named(case):
    setting, (num_seeds, num_folds), num_arms = case
    return f"{setting.name}-{num_seeds}x{num_folds}-{num_arms}"


def walked(settings, layouts, arms):
    """Every setting with some layout and family; all of their products are a slow test."""
    return list(zip(settings, itertools.cycle(layouts), itertools.cycle(arms), strict=False))


WALK = [
    *walked(EQUAL, LAYOUTS, [1]),
    *walked(LUCKY, SEVERAL_FOLDS, [1]),
    *walked([*TRAININGS, *UNLIKE, *LUCKY], [(1, 5), (3, 5), (1, 10)], [3, 10]),
]
GRID = [
    *itertools.product(EQUAL, [*LAYOUTS, (10, 10)], [1]),
    *itertools.product(LUCKY, [*SEVERAL_FOLDS, (10, 10)], [1]),
    *itertools.product([*TRAININGS, *UNLIKE], LAYOUTS, [3, 10]),
    *itertools.product(LUCKY, SEVERAL_FOLDS, [3, 10]),
    *itertools.product(LEARNERS, [(8, 1), (1, 5), (3, 5)], [3]),
    *itertools.product(LEARNERS[:3], [(1, 5)], [10]),
]


@pytest.mark.parametrize(("setting", "layout", "num_arms"), WALK, ids=map(named, WALK))
def test_equal_arms_differ_in_at_most_alpha_of_studies(setting, layout, num_arms):
    check(setting.draw(300, num_arms, *layout, 0))


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "layout", "num_arms"), GRID, ids=map(named, GRID))
def test_and_so_in_every_setting_and_layout(setting, layout, num_arms):
    check(setting.draw(500, num_arms, *layout, 1))


@pytest.mark.parametrize("setting", [TRAININGS[2], SHARES[1], LEARNERS[0]], ids=lambda s: s.name)
def test_folds_with_unlike_numbers_of_seeds_claim_at_most_alpha(setting):
    found, num_seeds = setting.draw(400, 1, 8, 5, 2), [8, 2, 2, 1, 1]
    folds = [
        FoldDifferences(found.trials[:, :, :num, fold], found.influences[:, :, :num, fold])
        for fold, num in enumerate(num_seeds)
    ]
    for known in (folds, [FoldDifferences(fold.trials) for fold in folds]):
        components = components_of(known, found.step)
        half = half_width(uncertainties(components, found.ratio), ALPHA)
        assert at_most((np.abs(components.mean) > half).any(axis=1))


def test_luck_with_the_whole_data_set_is_not_supported_since_no_study_can_see_it():
    assert not at_most(claims(two_units, UNSUPPORTED[0].draw(600, 1, 3, 5, 0)))


def test_seeds_of_one_fold_whose_arms_are_lucky_there_speak_of_this_split_alone():
    """Why a single fold has a scope of its own: what is luck there is taken for an effect."""
    assert not at_most(claims(two_units, SHARES[0].draw(600, 1, 8, 1, 0)))


def test_one_fold_without_predictions_speaks_of_these_clips_alone():
    assert not at_most(claims(crossed, LEARNERS[0].draw(300, 1, 8, 1, 0)))


def test_arms_unlike_in_skewed_noise_are_not_supported_on_one_fold():
    """As for any t test over few; with several folds, or with noise alike, α holds."""
    of_the_trainings_alone = with_shifts(ALIKE, 0.3, "exponential", last=3.0)
    assert not at_most(claims(two_units, of_the_trainings_alone(2000, 1, 8, 1, 0)))
    assert at_most(claims(two_units, of_the_trainings_alone(1000, 1, 8, 5, 0)))
    for setting in UNLIKE_AND_SKEWED:
        assert at_most(claims(two_units, setting.draw(600, 1, 3, 5, 0)))


@pytest.mark.parametrize("num_factors", [2, 3])
@pytest.mark.parametrize("layout", [(1, 5), (3, 5)])
@pytest.mark.parametrize("setting", [TRAININGS[2], TRAININGS[4], SHARES[1]], ids=lambda s: s.name)
def test_comparisons_and_effects_are_two_families_of_at_most_alpha(setting, layout, num_factors):
    arms = setting.draw(500, 2**num_factors - 1, *layout, 1)
    check(arms)
    assert at_most(effect_claims(crossed, arms, num_factors))
    effects = effect_claims(two_units, arms, num_factors)
    assert at_most(effects)
    assert at_most(claims(two_units, arms) | effects, 1.4 * ALPHA)


@pytest.mark.parametrize("num_arms", [1, 3, 10])
@pytest.mark.parametrize("layout", [(3, 5), (8, 1)])
def test_at_the_margin_at_most_alpha_of_studies_call_any_arm_equivalent(num_arms, layout):
    for setting in (TRAININGS[2], TRAININGS[5]):
        found = setting.draw(400, num_arms, *layout, 5).shifted(margin := 0.15)
        assert at_most((equivalence(found, margin) <= ALPHA / num_arms).any(axis=1))


def test_learners_at_the_margin_are_no_more_often_called_equivalent():
    found = mechanistic(learners.NOISY)(300, 3, 3, 5, 5)
    assert at_most((equivalence(found.shifted(0.15), 0.15) <= ALPHA / 3).any(axis=1))
    assert (equivalence(found, 0.15) <= ALPHA / 3).any(axis=1).mean() > 0.5


@pytest.mark.parametrize("layout", [(1, 5), (3, 5), (8, 1)])
def test_metrics_that_are_no_means_claim_at_most_alpha(layout):
    world = World()
    answers, labels = learners.answers_of(world, 400, 1, *layout, 4)
    assert at_most(claims(two_units, f1_differences(answers, labels, 4, world.ratio)))
    assert at_most(claims(two_units, auroc_differences(400, 3, *layout, 4)))


def test_evidence_that_is_looked_at_after_every_seed_exceeds_its_limit_in_at_most_alpha():
    num, most = 4000, 60
    trials = np.random.default_rng(0).normal(size=(num, most))
    counts = np.arange(2, most + 1)
    means = np.cumsum(trials, axis=1)[:, 1:] / counts
    squares = np.cumsum(trials**2, axis=1)[:, 1:] - counts * means**2
    t = np.abs(means) / np.sqrt(squares / (counts - 1) / counts)
    limits = [float(anytime_quantile(size, 1, ALPHA)) for size in counts]
    assert at_most((t > limits).any(axis=1))


GROWING = [LEARNERS[2], TRAININGS[2], TRAININGS[4], TRAININGS[5], UNLIKE[0]]


@pytest.mark.parametrize("setting", GROWING, ids=lambda s: s.name)
@pytest.mark.parametrize(("num_arms", "num_folds"), [(1, 5), (3, 5), (1, 1)])
def test_a_growing_study_claims_at_most_alpha_at_all_looks_together(setting, num_arms, num_folds):
    grows(setting.draw(200, num_arms, 10, num_folds, 3))


@pytest.mark.parametrize("setting", LUCKY, ids=lambda s: s.name)
def test_luck_with_folds_is_no_claim_of_a_growing_study_either(setting):
    grows(setting.draw(300, 1, 10, 5, 3))


def grows(found):
    """With predictions and without, to its end and with arms that are given up."""
    kinds = [found, found.without_predictions()] if found.num_folds > 1 else [found]
    for kind in kinds:
        whole, given_up = anytime()(kind), anytime(wanted=0.06)(kind)
        assert at_most(whole.is_claim)
        assert at_most(given_up.is_claim)


@pytest.mark.slow
@pytest.mark.parametrize(("num_arms", "num_folds"), [(1, 3), (1, 5), (1, 10), (3, 5), (3, 10)])
@pytest.mark.parametrize("setting", [*TRAININGS, *UNLIKE, *LUCKY], ids=lambda s: s.name)
def test_and_so_with_all_numbers_of_folds(setting, num_arms, num_folds):
    grows(setting.draw(400, num_arms, 12, num_folds, 4))


@pytest.mark.slow
@pytest.mark.parametrize("setting", LEARNERS, ids=lambda s: s.name)
def test_and_over_learners(setting):
    grows(setting.draw(400, 1, 10, 5, 4))
    grows(setting.draw(400, 1, 10, 1, 4))


@pytest.mark.parametrize("num_folds", [1, 5])
def test_a_growing_study_at_the_margin_is_called_equivalent_in_at_most_alpha(num_folds):
    for setting in (TRAININGS[2], TRAININGS[4]):
        found = setting.draw(200, 3, 8, num_folds, 5).shifted(margin := 0.1)
        assert at_most(anytime(margin=margin)(found).is_claim)


def test_giving_up_takes_claims_away_and_ends_dead_arms_early():
    found = by_sources(Sources(trial=0.5))(300, 1, 20, 5, 3)
    whole, given_up = anytime()(found), anytime(wanted=0.06)(found)
    assert (given_up.is_claim <= whole.is_claim).all()
    assert given_up.seeds.mean() < 0.8 * whole.seeds.mean()


# What `compare` says of drawn studies.


def study_of(found, index, **options):
    """One of the drawn studies as records, and what recordings add to each trial."""
    num_arms, num_seeds, num_folds = found.trials.shape[1:]
    trials = 0.5 + np.concatenate([np.zeros((1, num_seeds, num_folds)), found.trials[index]])
    names = ["base", *(f"arm{arm}" for arm in range(num_arms))]
    values = {name: own.ravel() for name, own in zip(names, trials, strict=True)}
    folds = range(1, num_folds + 1)
    study, records = finished_study(values, range(num_seeds), folds, **options)
    own = np.zeros((num_arms + 1, *found.influences.shape[2:]))
    own[1:] = found.influences[index]
    influences = {}
    for (row, name), seed, fold in itertools.product(enumerate(names), range(num_seeds), folds):
        recordings = np.array([f"{fold}-{number}" for number in range(own.shape[-1])])
        added = Influences(recordings, own[row, seed, fold - 1])
        influences[f"{name}-{seed}-{fold}"] = added
    return study, records, {"test/accuracy": influences}


def as_recorded(found):
    """Of 400 clips a fold, as the records have it, and small enough to be accuracies beside 0.5."""
    halved = replace(found, trials=(found.trials / 2).round(12), step=1 / 400)
    return replace(halved, influences=found.influences / 2)


@pytest.mark.parametrize("layout", [(3, 5), (1, 5), (8, 1)])
@pytest.mark.parametrize("has_predictions", [True, False])
def test_compare_has_the_words_of_the_simulation(layout, has_predictions):
    found = as_recorded(
        TRAININGS[2].draw(16, 3, *layout, 2).shifted(0.15 if layout[1] > 1 else 0.2)
    )
    judged = found if has_predictions else found.without_predictions()
    simulated, margin = claims(two_units, judged), 0.2
    alike = (equivalence(judged, margin) <= ALPHA / 3).any(axis=1)
    for index in range(16):
        study, records, influences = study_of(found, index, margin=margin)
        known = influences if has_predictions else {}
        words = {arm.verdict for arm in compare(study, records, influences=known).compared}
        assert bool(words & set(EFFECTS)) == simulated[index]
        if not simulated[index]:
            assert ("equivalent" in words) == alike[index]
    assert 0 < simulated.sum() < 16


def grown_to_its_end(whole, records, influences):
    study = first_look(whole)
    for _ in itertools.count():
        kept = {cell.id: records[cell.id] for cell in study.cells if cell.id in records}
        answer = compare(study, kept, influences=influences)
        if (after := with_next_look(study, answer, whole)) is None:
            return answer
        study = after
    return None


@pytest.mark.parametrize(("num_folds", "effect"), [(1, 0.6), (5, 0.1)])
@pytest.mark.parametrize("wanted", [None, 0.06])
def test_a_growing_study_ends_as_the_simulation_does(num_folds, effect, wanted):
    most, num = 7, 5
    found = as_recorded(TRAININGS[2].draw(num, 2, most, num_folds, 2).shifted(effect))
    ends = anytime(wanted=wanted)(found)
    for index in range(num):
        study, records, influences = study_of(found, index, margin=1e-9)
        looks = {"looks": (2 * num_folds,), "max_pairs": most * num_folds}
        study = replace(study, **looks, wanted_effect=wanted)
        arms = grown_to_its_end(study, records, influences).compared
        assert any(arm.verdict in EFFECTS for arm in arms) == ends.is_claim[index]
    assert ends.is_claim.any()
