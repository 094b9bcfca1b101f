"""How often a study claims what is not there: never more than α of them, by simulation.

The rule is run on thousands of studies at once; `compare` itself gives the same words on some.
Folds correlate as in Nadeau and Bengio's model, arms by the baseline that they share.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.simulation import RATIO, sign_flip_ps, study_of_differences, t_test_ps
from scipy.special import stdtr

from audiocls.analysis import compare
from audiocls.analysis.interim import first_look, with_next_look
from audiocls.stats import can_be_significant, next_look_size, resamples_for, sign_flip_p, spending

ALPHA = 0.05
SEEDS_ONLY, FOLDS_ONLY, BOTH = (10, 1), (1, 10), (3, 5)
EFFECTS = ("better", "worse")


def at_most(share, num, alpha=ALPHA):
    """Within two standard errors of the simulation."""
    return share <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / num)


def normal(rng, level):
    return level + rng.normal(size=level.shape)


def of_80_clips(rng, level):
    """Accuracies, which tie often."""
    return rng.binomial(80, np.clip(0.9 + 0.034 * level, 0, 1)) / 80


def with_failures(rng, level):
    """A long tail to one side, as of trainings that now and then go wrong."""
    return level - rng.exponential(size=level.shape)


def null_differences(num, num_pairs, num_arms, ratio, draw=normal, seed=0):
    """Differences of arms and a baseline that are drawn alike.

    The level that all pairs of an arm share makes them correlate by n_test/(n_test + n_train).

    Shape: → (studies, arms, pairs)
    """
    rng = np.random.default_rng(seed)
    level = math.sqrt(ratio) * rng.normal(size=(num, num_arms + 1, 1))
    values = draw(rng, np.repeat(level, num_pairs, axis=2))
    return (values[:, 1:] - values[:, :1]).round(12)


def has_claim(drawn, ratio, alpha=ALPHA):
    """Which studies claim any effect: Holm's first step decides about that.

    Shape: (studies, arms, pairs) → (studies,)
    """
    limit = alpha / drawn.shape[1]
    ps = t_test_ps(drawn, ratio)
    open_ones = ps <= limit
    ps[open_ones] = np.maximum(ps[open_ones], sign_flip_ps(drawn[open_ones], limit))
    return (ps <= limit).any(axis=1)


def test_the_simulations_rule_is_that_of_compare():
    drawn = 0.01 * null_differences(600, 15, 3, RATIO, seed=1)
    claims = has_claim(drawn, RATIO)
    chosen = np.concatenate([np.flatnonzero(claims)[:15], np.flatnonzero(~claims)[:15]])
    assert claims[chosen].sum() >= 5
    for index in chosen:
        found = {
            result.verdict for result in compare(*study_of_differences(drawn[index], 3, 5)).compared
        }
        assert bool(found & set(EFFECTS)) == claims[index]


@pytest.mark.parametrize("num_arms", [1, 3, 10])
@pytest.mark.parametrize(("num_seeds", "num_folds"), [SEEDS_ONLY, FOLDS_ONLY, BOTH])
def test_without_an_effect_at_most_alpha_of_studies_claim_any(num_seeds, num_folds, num_arms):
    num, ratio = 10_000, RATIO if num_folds > 1 else 0.0
    drawn = null_differences(num, num_seeds * num_folds, num_arms, ratio)
    assert at_most(has_claim(drawn, ratio).mean(), num)


@pytest.mark.parametrize(
    ("draw", "num_seeds", "num_folds"),
    [(of_80_clips, *SEEDS_ONLY), (of_80_clips, *BOTH), (with_failures, *SEEDS_ONLY)],
)
def test_ties_and_long_tails_do_not_raise_the_error(draw, num_seeds, num_folds):
    num, ratio = 6_000, RATIO if num_folds > 1 else 0.0
    drawn = null_differences(num, num_seeds * num_folds, 3, ratio, draw)
    assert at_most(has_claim(drawn, ratio).mean(), num)


def test_long_tails_of_folds_that_correlate_raise_the_error_a_little():
    """To 7 in 100: what folds share is judged by a spread that long tails make less certain."""
    drawn = null_differences(6_000, 15, 3, RATIO, with_failures)
    assert ALPHA < has_claim(drawn, RATIO).mean() < 1.6 * ALPHA


def test_effects_of_some_arms_do_not_raise_the_error_of_the_others():
    num, num_real, num_null = 10_000, 4, 3
    drawn = null_differences(num, 10, num_null, 0.0)
    # Arms with a p of nearly 0 come first in Holm's order, and the others share all of α.
    alone = has_claim(drawn, 0.0)
    assert at_most(alone.mean(), num)
    claims = np.flatnonzero(alone)[:10]
    for index in claims:
        real = np.full((num_real, 10), 30.0) + drawn[index, :1]
        result = compare(
            *study_of_differences(np.concatenate([real, drawn[index]]), 10, 1)
        ).compared
        assert {arm.verdict for arm in result[:num_real]} == {"better"}
        assert any(arm.verdict in EFFECTS for arm in result[num_real:])


@pytest.mark.parametrize(("num_seeds", "num_folds"), [SEEDS_ONLY, FOLDS_ONLY, BOTH])
def test_at_the_margin_at_most_alpha_of_comparisons_claim_equivalence(num_seeds, num_folds):
    num, ratio = 20_000, RATIO if num_folds > 1 else 0.0
    drawn = null_differences(num, num_seeds * num_folds, 1, ratio)[:, 0]
    margin = 3.0
    assert at_most((tost_ps(drawn + margin, ratio, margin) <= ALPHA).mean(), num)
    assert (tost_ps(drawn, ratio, margin) <= ALPHA).mean() > 0.5


def tost_ps(drawn, ratio, margin):
    """Shape: (studies, pairs) → (studies,)"""
    num = drawn.shape[-1]
    error = drawn.std(axis=-1, ddof=1) * math.sqrt(1 / num + ratio)
    return stdtr(num - 1, -(margin - np.abs(drawn.mean(axis=-1))) / error)


def looks_of(first, most, num_folds):
    sizes = [first]
    while (size := next_look_size(sizes[-1], num_folds)) <= most:
        sizes.append(size)
    return sizes


def claimed_at(drawn, sizes, levels, ratio):
    """At which look a study claims any effect by the t test, the first as 1; 0 if at none.

    The sign flips can only take claims away.

    Shape: (studies, arms, pairs) → (studies,)
    """
    found = np.zeros(len(drawn), dtype=int)
    for number, (size, level) in enumerate(zip(sizes, levels, strict=True), start=1):
        if not can_be_significant(size, drawn.shape[1], level):
            continue
        ps = t_test_ps(drawn[..., :size], ratio).min(axis=1)
        found[(found == 0) & (ps <= level / drawn.shape[1])] = number
    return found


SEQUENCES = [(10, 1, 1, 200), (8, 1, 3, 200), (6, 1, 1, 400), (15, 5, 3, 200), (10, 10, 1, 200)]
"""Own pairs, folds, arms, and the pairs at which patience ends."""


@pytest.mark.parametrize(("first", "num_folds", "num_arms", "most"), SEQUENCES)
def test_looking_again_and_again_at_nothing_claims_an_effect_in_at_most_alpha_of_studies(
    first, num_folds, num_arms, most
):
    num, ratio = 5_000, RATIO if num_folds > 1 else 0.0
    drawn = null_differences(num, most, num_arms, ratio, seed=first)
    sizes = looks_of(first, most, num_folds)
    assert len(sizes) > 5
    assert at_most(
        (claimed_at(drawn, sizes, spending(ALPHA, sizes, num_arms), ratio) > 0).mean(), num
    )


def test_looking_after_every_seed_is_safe_too_and_without_spending_it_is_not():
    num, most = 5_000, 100
    drawn = null_differences(num, most, 1, 0.0)
    sizes = list(range(8, most + 1))
    assert at_most((claimed_at(drawn, sizes, spending(ALPHA, sizes), 0.0) > 0).mean(), num)
    naive = claimed_at(drawn, sizes, [ALPHA] * len(sizes), 0.0) > 0
    assert naive.mean() > 4 * ALPHA


@pytest.mark.parametrize("num_folds", [1, 5])
def test_looking_again_and_again_at_the_margin_claims_equivalence_in_at_most_alpha(num_folds):
    num, most, margin, ratio = 5_000, 200, 1.0, RATIO if num_folds > 1 else 0.0
    drawn = null_differences(num, most, 1, ratio)[:, 0] + margin
    sizes = looks_of(10, most, num_folds)
    levels = spending(ALPHA, sizes)
    ps = [tost_ps(drawn[:, :size], ratio, margin) for size in sizes]
    claims = np.any([p <= level for p, level in zip(ps, levels, strict=True)], axis=0)
    assert at_most(claims.mean(), num)


def grown_to_its_end(arms, first, most):
    """The answer of a study that is launched until decided."""
    whole, records = study_of_differences(arms, most, 1)
    whole = replace(whole, looks=(first,), max_pairs=most, margin=1e-9)
    study = first_look(whole)
    for _ in itertools.count():
        answer = compare(study, {c.id: records[c.id] for c in study.cells if c.id in records})
        if (after := with_next_look(study, answer, whole)) is None:
            return answer
        study = after
    return None


def test_a_growing_studys_first_claim_is_that_of_the_simulations_rule():
    first, most, num_arms = 8, 28, 2
    drawn = 0.01 * (null_differences(40, most, num_arms, 0.0) + 0.9)
    sizes = looks_of(first, most, 1)
    levels = spending(ALPHA, sizes, num_arms)
    for arms in drawn.round(12):
        looks = [
            r.look for r in grown_to_its_end(arms, first, most).compared if r.verdict in EFFECTS
        ]
        assert min(looks, default=0) == first_claim(arms, sizes, levels)


def first_claim(arms, sizes, levels):
    for number, (size, level) in enumerate(zip(sizes, levels, strict=True), start=1):
        num_resamples = resamples_for(level / len(arms))
        ps = [
            max(t, sign_flip_p(list(arm[:size]), num_resamples=num_resamples))
            for arm, t in zip(arms, t_test_ps(arms[:, :size], 0.0), strict=True)
        ]
        if min(ps) <= level / len(arms):
            return number
    return 0


def test_a_growing_study_finds_more_than_its_first_look_and_what_takes_few_pairs_early():
    """An effect that ten pairs see in 80 of 100 studies, and half of it, in up to 100 pairs.

    The first is found always, in 14 pairs on average; the second in 86 of 100 studies, in 42 pairs,
    where a study of a fixed size, known beforehand, needs 34 for 80 of 100.
    """
    sizes = looks_of(10, 100, 1)
    levels = spending(ALPHA, sizes)
    shares, pairs = [], []
    for effect in (0.996, 0.498):
        drawn = null_differences(5_000, 100, 1, 0.0) / math.sqrt(2) + effect
        found = claimed_at(drawn, sizes, levels, 0.0)
        shares.append((found > 0).mean())
        pairs.append(np.take(sizes, found - 1).mean())  # Without a claim, all of them.
    assert shares[0] > 0.999
    assert pairs[0] < 15
    assert 0.8 < shares[1] < 0.95
    assert pairs[1] < 50
