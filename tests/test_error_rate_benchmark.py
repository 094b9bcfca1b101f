"""The simulated studies of `benchmarks/error_rates`, and what the proposed rule does on them."""

import doctest
import importlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from audiocls.stats import corrected_t, sign_flip_p, tost_p

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "error_rates"
sys.path.insert(0, str(BENCHMARK))

import accuracies  # noqa: E402
import e_process  # noqa: E402
import equivalence  # noqa: E402
import growing  # noqa: E402
import influence  # noqa: E402
import learners  # noqa: E402
import macro_f1  # noqa: E402
import parts  # noqa: E402
import planning  # noqa: E402
import rules  # noqa: E402
import two_units  # noqa: E402
from accuracies import Sources  # noqa: E402
from crossed import crossed_errors  # noqa: E402
from differences import Differences, differences  # noqa: E402
from fitting import World  # noqa: E402
from looks import WATCHES  # noqa: E402
from settings import by_sources, mechanistic  # noqa: E402

ALPHA = 0.05
MODULES = ["two_units", "parts", "influence", "crossed", "e_process", "growing", "equivalence"]


def at_most(share, num, alpha=ALPHA):
    """Within two standard errors of the simulation."""
    return share <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / num)


def of_normal_pairs(num, num_pairs, seed=0):
    trials = np.random.default_rng(seed).normal(size=(num, 1, num_pairs, 1))
    return Differences(trials, np.zeros((num, 1, num_pairs, 2)), np.zeros(2, int), 0.0)


def false_claims(draw, layout, rule=rules.two_units, num=600, num_arms=1, seed=0):
    return rules.claims(rule, draw(num, num_arms, *layout, seed)).mean()


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_rules_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_plain_t_on_independent_normal_pairs_claims_alpha():
    num = 20_000
    share = rules.claims(rules.plain_t, of_normal_pairs(num, 8)).mean()
    assert abs(share - ALPHA) < 2.5 * math.sqrt(ALPHA * (1 - ALPHA) / num)


def test_the_present_rule_is_that_of_the_package():
    found = mechanistic(World())(20, 2, 2, 5, 1)
    ps = rules.present(found, 1.0)
    for place in np.ndindex(*ps.shape):
        values = [round(float(value), 12) for value in found.trials[place].ravel()]
        assert ps[place] == max(corrected_t(values, 1 / 3).p, sign_flip_p(values))


@pytest.mark.parametrize(
    ("layout", "low", "high"),
    [((7, 2), 0.15, 0.35), ((8, 3), 0.10, 0.22), ((3, 3), 0.06, 0.15), ((20, 1), 0.75, 0.95)],
)
def test_the_present_rule_takes_equal_learners_with_little_seed_noise_for_different(
    layout, low, high
):
    assert low < false_claims(mechanistic(learners.QUIET), layout, rules.present, 400) < high


def test_and_is_far_too_strict_where_seeds_are_noisy():
    for layout in [(8, 3), (3, 5), (10, 5)]:
        assert false_claims(mechanistic(learners.NOISY), layout, rules.present, 400) < 0.02


@pytest.mark.parametrize(
    ("world", "layout"),
    [
        (learners.QUIET, (20, 1)),
        (learners.QUIET, (7, 2)),
        (learners.COLLAPSING, (8, 3)),
        (learners.NOISY, (10, 5)),
        (learners.FEATURES, (1, 5)),
    ],
)
def test_two_units_claim_differences_of_equal_learners_in_at_most_alpha_of_studies(world, layout):
    assert at_most(false_claims(mechanistic(world), layout), 600)


@pytest.mark.parametrize(("num_arms", "layout"), [(1, (3, 5)), (3, (10, 5)), (10, (1, 5))])
@pytest.mark.parametrize("luck", [0.2, 0.8])
def test_luck_with_whole_folds_is_no_claim_either(luck, num_arms, layout):
    draw = by_sources(Sources(arm_by_fold=luck))
    assert at_most(false_claims(draw, layout, num=400, num_arms=num_arms), 400)


def test_nor_is_that_of_one_arm_among_others_that_share_their_estimate():
    draw = by_sources(Sources(arm_by_fold=0.05, last_arm_by_fold=0.6))
    assert at_most(false_claims(draw, (3, 5), num_arms=3), 600)


def test_luck_with_the_whole_data_set_is_seen_by_no_rule():
    """Not a supported setting: nothing inside one study differs by it."""
    draw = by_sources(Sources(arm=0.15))
    assert false_claims(draw, (3, 5)) > 0.1
    assert false_claims(draw, (3, 5), rules.nadeau_bengio) > 0.06


@pytest.mark.parametrize("tail", ["t3", "exponential", "collapse"])
def test_trainings_with_long_tails_claim_at_most_alpha(tail):
    draw = by_sources(Sources(trial=0.6, tail=tail))
    for layout in [(8, 1), (1, 5), (3, 5)]:
        assert at_most(false_claims(draw, layout), 600)


def test_two_units_need_fewer_trials_where_seeds_are_noisy():
    drawn = mechanistic(learners.NOISY)(300, 1, 5, 5, 7).shifted(0.14)
    now = rules.claims(rules.present, drawn).mean()
    assert rules.claims(rules.two_units, drawn).mean() > now + 0.3


@pytest.mark.parametrize("world", [World(), learners.NOISY, learners.LARGE])
def test_power_is_as_promised_within_three_points(world):
    num = 400
    found = mechanistic(world)(num, 1, 3, 5, 4)
    spread = planning.spread_of(found.parts)
    for num_seeds in (1, 3):
        effect = planning.detectable_effect(
            spread, num_seeds, 5, found.parts.num_recordings, world.ratio
        )
        power = rules.claims(rules.two_units, found.first(num_seeds).shifted(effect)).mean()
        assert abs(power - 0.8) < 0.03 + 2 * math.sqrt(0.8 * 0.2 / num)


def test_the_crossed_test_without_predictions_claims_at_most_alpha():
    for world in (learners.QUIET, learners.SCARCE):
        for layout in [(7, 2), (8, 3), (1, 5), (10, 5)]:
            assert at_most(false_claims(mechanistic(world), layout, rules.crossed, 300), 300)


def test_one_seed_over_folds_is_the_t_test_of_nadeau_and_bengio_with_half_their_correction():
    values = np.array([0.01, 0.03, 0.02, -0.01, 0.02])
    errors = crossed_errors(values.reshape(1, 1, 5), 1 / 3)
    known = corrected_t(list(values), 1 / 6)
    assert errors.p(np.array([values.mean()]))[0] == pytest.approx(known.p)
    assert errors.half_width(ALPHA)[0] == pytest.approx(known.ci_high - known.mean)


def test_the_jackknife_of_a_mean_is_its_influence():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 12))
    recordings = np.repeat(np.arange(6), 2)
    without = np.stack([scores[:, recordings != each].mean(axis=1) for each in range(6)], axis=1)
    exact = influence.of_mean(scores, recordings)
    assert np.allclose(influence.by_jackknife(without), exact)
    assert np.allclose(exact.sum(axis=1), 0)


def test_macro_f1_by_jackknife_claims_at_most_alpha_and_finds_what_accuracy_finds():
    world, num = World(), 400
    answers, labels = learners.answers_of(world, num, 1, 3, 5, 4)
    found = macro_f1.f1_differences(answers, labels, world.num_classes, world.ratio)
    assert at_most(rules.claims(rules.two_units, found).mean(), num)
    accuracy = differences((answers == labels[..., None]).astype(float), world.ratio)
    ratio = found.parts.by_recording.mean() / accuracy.parts.by_recording.mean()
    assert 0.8 < ratio < 1.3


def test_evidence_is_one_on_average_without_an_effect_and_crosses_in_at_most_alpha_of_studies():
    trials = np.random.default_rng(0).normal(size=(4000, 40, 1))
    evidence = e_process.e_values(trials)
    assert evidence[:, 4].mean() == pytest.approx(1, abs=0.1)
    assert at_most((e_process.anytime_p(evidence)[:, -1] <= ALPHA).mean(), 4000)
    assert (e_process.anytime_p(e_process.e_values(trials + 1))[:, -1] <= ALPHA).mean() > 0.99


def test_the_anytime_quantile_is_where_evidence_reaches_one_over_alpha():
    rng = np.random.default_rng(1)
    trials = rng.normal(size=(6, 3)) - 0.1
    trials -= trials.mean()
    spread = math.sqrt(((trials - trials.mean(axis=0)) ** 2).sum() / 15 / 18)
    at_limit = trials + e_process.anytime_quantile(6, 3, ALPHA) * spread
    assert e_process.e_values(at_limit)[-1] == pytest.approx(1 / ALPHA)


@pytest.mark.parametrize("world", [learners.QUIET, learners.NOISY])
def test_looking_after_every_seed_claims_at_most_alpha_and_more_than_spending(world):
    found = mechanistic(world)(300, 1, 12, 5, 3)
    watch = WATCHES["two units, anytime"]
    assert at_most(watch(found).is_claim.mean(), 300)
    effect = found.shifted(0.1)
    spent = WATCHES["two units, α spent"](effect)
    assert watch(effect).is_claim.mean() > spent.is_claim.mean() + 0.1


def test_giving_up_takes_claims_away_and_ends_dead_arms_early():
    found = by_sources(Sources(trial=0.5))(300, 1, 20, 5, 3)
    plain, futile = WATCHES["two units, anytime"], WATCHES["the same, futility at 6 points"]
    assert (futile(found).is_claim <= plain(found).is_claim).all()
    assert futile(found).seeds.mean() < 0.8 * plain(found).seeds.mean()


@pytest.mark.parametrize("num_arms", [1, 3, 10])
def test_at_the_margin_at_most_alpha_of_studies_call_any_arm_equivalent(num_arms):
    margin, num = 0.15, 300
    found = mechanistic(learners.NOISY)(num, num_arms, 3, 5, 5).shifted(margin)
    ps = equivalence.equivalence_p(found.parts, found.ratio, margin)
    assert at_most((ps <= ALPHA / num_arms).any(axis=1).mean(), num)


def test_a_handful_of_clips_that_agree_is_not_equivalence():
    none = np.zeros((1, 10, 1))
    few = parts.parts_of(none, np.zeros((1, 10, 40)), np.zeros(40, int))
    assert tost_p([0.0] * 10, 0.0, 0.01) <= ALPHA
    assert equivalence.equivalence_p(few, 1 / 3, 0.01)[0] > 0.3
    assert equivalence.equivalence_p(few, 1 / 3, 0.08)[0] <= ALPHA


def test_trainings_that_agree_to_the_clip_are_no_claim():
    trials = np.full((1, 2, 1), 0.025)
    own = np.full(40, -0.025 / 40)
    own[3] += 0.025
    found = parts.parts_of(trials, np.tile(own, (1, 2, 1)), np.zeros(40, int))
    assert two_units.p_values(found, 1 / 3)[0] > 0.3
    assert corrected_t([0.025, 0.025], 0.0).p == 0


def test_unlike_numbers_of_recordings_are_weighed_by_their_folds():
    rng = np.random.default_rng(2)
    sizes = [4, 9]
    scores = [rng.normal(size=(2, size)) for size in sizes]
    own = [influence.of_mean(each, np.arange(each.shape[1])) for each in scores]
    trials = np.stack([each.mean(axis=1) for each in scores], axis=1)[None]
    found = parts.parts_of(trials, np.concatenate(own, axis=1)[None], np.repeat([0, 1], sizes))
    by_hand = sum(each.mean(axis=0).var(ddof=1) / each.shape[1] for each in scores) / 4
    assert found.by_recording[0] == pytest.approx(by_hand)
    assert (
        growing.anytime_half_widths(found, 1 / 3, ALPHA)[0]
        > two_units.half_widths(found, 1 / 3, ALPHA)[0]
    )


def test_settings_are_of_equal_arms():
    correct = accuracies.correctness(Sources(trial=0.5, arm_by_fold=0.3), 2000, 1, 1, 2, 0)
    difference = (correct[:, 1] - correct[:, 0]).mean(axis=(1, 2, 3, 4))
    assert abs(difference.mean()) < 3 * difference.std() / math.sqrt(2000)
