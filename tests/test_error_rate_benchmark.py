"""The rules side by side in `benchmarks/error_rates`: what the rivals claim of equal learners.

Figures of the old rule are those of a study from outside the project, found again with generators
of our own.
"""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from audiocls.stats import (
    EvaluationProtocol,
    by_jackknife,
    detectable_effect,
    of_mean,
    rarest_excluded,
    spread_of,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "error_rates"))

import accuracies
import learners
import rules
import tables
from accuracies import Sources
from differences import Differences, differences
from fitting import World
from looks import anytime, spent
from macro_f1 import f1_differences
from pairs import corrected_t, sign_flip_p, tost_p
from settings import by_sources, mechanistic

ALPHA = 0.05


def of_trials(num, num_arms, num_seeds, num_folds, share=0.0, seed=0):
    """Normal differences of equal arms, `share` of whose variance is luck with folds."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(num, num_arms + 1, num_seeds, num_folds))
    luck = rng.normal(size=(num, num_arms + 1, 1, num_folds))
    values = math.sqrt(1 - share) * own + math.sqrt(share) * luck
    trials = (values[:, 1:] - values[:, :1]).round(12)
    return Differences(trials, None, 1 / 3, 0.0)


def false_claims(draw, layout, rule, num=300):
    return rules.claims(rule, draw(num, 1, *layout, 0)).mean()


def test_plain_t_on_independent_normal_pairs_claims_alpha():
    num = 20_000
    share = rules.claims(rules.plain_t, of_trials(num, 1, 8, 1)).mean()
    assert abs(share - ALPHA) < 2.5 * math.sqrt(ALPHA * (1 - ALPHA) / num)


def test_the_old_rule_is_the_larger_p_of_its_two_tests():
    found = mechanistic(World())(10, 2, 2, 5, 1)
    ps = rules.retired(found, 1.0)
    for place in np.ndindex(*ps.shape):
        values = [float(value) for value in found.trials[place].ravel()]
        assert ps[place] == max(corrected_t(values, 1 / 3).p, sign_flip_p(values))


@pytest.mark.parametrize(
    ("layout", "low", "high"),
    [((7, 2), 0.15, 0.35), ((8, 3), 0.10, 0.22), ((3, 3), 0.05, 0.16), ((20, 1), 0.75, 0.95)],
)
def test_the_old_rule_takes_equal_learners_with_little_seed_noise_for_different(layout, low, high):
    draw = mechanistic(learners.QUIET)
    assert low < false_claims(draw, layout, rules.retired) < high
    assert false_claims(draw, layout, rules.two_units) < ALPHA + 0.025


@pytest.mark.parametrize(("share", "low", "high"), [(0, 0, 2), (0.5, 3, 10), (0.75, 13, 24)])
def test_the_old_rule_takes_twenty_seeds_on_two_folds_for_forty_facts(share, low, high):
    found = of_trials(600, 1, 10, 2, share)
    assert low <= 100 * rules.claims(rules.nadeau_bengio, found).mean() <= high
    assert rules.claims(rules.crossed, found).mean() <= ALPHA + 0.018


def test_the_old_rule_is_far_too_strict_where_seeds_are_noisy():
    for layout in [(3, 5), (8, 3)]:
        assert false_claims(mechanistic(learners.NOISY), layout, rules.retired) < 0.02


def test_the_old_rule_finds_fewer_effects_where_seeds_are_noisy():
    drawn = mechanistic(learners.NOISY)(300, 1, 5, 5, 7).shifted(0.14)
    now = rules.claims(rules.retired, drawn).mean()
    assert rules.claims(rules.two_units, drawn).mean() > now + 0.3


def test_the_old_rule_watched_on_two_folds_claims_more_than_alpha():
    found = of_trials(400, 1, 20, 2, 0.9)
    assert spent(rules.nadeau_bengio, 3)(found).is_claim.mean() > 2 * ALPHA
    assert anytime()(found).is_claim.mean() <= ALPHA + 0.022


def test_an_ordinary_p_that_is_looked_at_after_every_seed_claims_four_times_alpha():
    found = of_trials(1000, 1, 20, 1)
    looks = [rules.claims(rules.plain_t, found.first(size)) for size in range(3, 21)]
    assert np.any(looks, axis=0).mean() > 3 * ALPHA


def test_two_pairs_that_agree_were_a_claim_to_t():
    assert corrected_t([0.025, 0.025], 0.0).p == 0


def test_a_handful_of_clips_that_agree_was_equivalence():
    assert tost_p([0.0] * 10, 0.0, 0.01) <= ALPHA


def test_equivalence_without_correction_is_claimed_of_one_of_ten_arms_in_a_quarter_of_studies():
    trials = of_trials(400, 10, 10, 1).trials[..., 0] + (margin := 3.0)
    claims = [any(tost_p(list(arm), 0.0, margin) <= ALPHA for arm in arms) for arms in trials]
    assert 0.15 < np.mean(claims) < 0.35


def test_an_arm_that_collapses_now_and_then_looks_equivalent_while_it_has_not_yet():
    """No rule sees what did not happen: so the report says what may still happen."""
    rng = np.random.default_rng(0)
    collapses = 40 * (rng.random((400, 10)) < 0.05)
    trials = 0.5 * rng.normal(size=(400, 10)) - collapses
    claims = np.mean([tost_p(list(pairs), 0.0, 1.0) <= ALPHA for pairs in trials])
    assert 0.45 < claims < 0.7
    assert rarest_excluded(10) > 0.05


@pytest.mark.parametrize("world", [World(), learners.NOISY, learners.LARGE])
def test_power_is_as_promised_within_three_points(world):
    num = 300
    found = mechanistic(world)(num, 1, 3, 5, 4)
    spread = spread_of(found.components)
    for num_seeds in (1, 3):
        num_recordings = found.components.num_recordings
        effect = detectable_effect(
            spread, num_seeds, EvaluationProtocol(5, num_recordings, world.ratio)
        )
        power = rules.claims(rules.two_units, found.first(num_seeds).shifted(effect)).mean()
        assert abs(power - 0.8) < 0.03 + 2 * math.sqrt(0.8 * 0.2 / num)


def test_looking_after_every_seed_finds_more_than_alpha_that_is_spent():
    effect = mechanistic(learners.NOISY)(200, 1, 12, 5, 3).shifted(0.1)
    of_alpha = spent(rules.two_units, 2)(effect).is_claim.mean()
    assert anytime()(effect).is_claim.mean() > of_alpha + 0.1


def test_the_jackknife_of_a_mean_is_its_influence():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 12))
    recordings = np.repeat(np.arange(6), 2)
    without = np.stack([scores[:, recordings != each].mean(axis=1) for each in range(6)], axis=1)
    exact = of_mean(scores, recordings)
    assert np.allclose(by_jackknife(without), exact)
    assert np.allclose(exact.sum(axis=1), 0)


def test_macro_f1_varies_over_recordings_as_accuracy_does():
    world = World()
    answers, labels = learners.answers_of(world, 200, 1, 3, 5, 4)
    found = f1_differences(answers, labels, world.num_classes, world.ratio)
    accuracy = differences((answers == labels[..., None]).astype(float), world.ratio)
    ratio = found.components.recording.mean() / accuracy.components.recording.mean()
    assert 0.8 < ratio < 1.3


def test_settings_are_of_equal_arms():
    correct = accuracies.correctness(Sources(trial=0.5, arm_by_fold=0.3), 2000, 1, 1, 2, 0)
    difference = (correct[:, 1] - correct[:, 0]).mean(axis=(1, 2, 3, 4))
    assert abs(difference.mean()) < 3 * difference.std() / math.sqrt(2000)


def test_a_table_has_a_row_for_each_rule(monkeypatch):
    group = ([tables.TRAININGS[2]], [(1, 5), (3, 5)])
    monkeypatch.setattr(tables, "GROUPS", {"all folds": group})
    lines = tables.false_claims_table(20).splitlines()
    assert len(lines) == 4 + len(rules.RULES)
    assert by_sources(Sources())(3, 2, 2, 5, 0).components.layout == (10, 5, 100)
