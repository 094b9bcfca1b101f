"""Effects of factors: each averaged over the others, and whether they add up.

A comparison asks what one arm does against another; an effect asks it of a factor, by a contrast
of several arms on each block.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.contrasts.arms import step_of
from audiocls.analysis.contrasts.context import context_dependence
from audiocls.analysis.contrasts.factorial import factorial
from audiocls.analysis.contrasts.layout import Contrast, Contrasts, Layout, layout_of
from audiocls.analysis.family import Weights
from audiocls.analysis.pairing import RecordGrid, first_of
from audiocls.analysis.results import Effect, Effects, SimpleEffect, TwoWay
from audiocls.analysis.rule import Rule
from audiocls.formatting import plural

MAX_TABLES = 6


def effects_of(grid: RecordGrid, refused: Mapping[str, str]) -> Effects:
    """Return what the study's arms say of its factors, corrected over all effects.

    The study has two factors or more. Empty where its comparisons say it already. `refused` are the
    arms that may not be compared, with the reason.
    """
    study = grid.study
    layout = layout_of(study)
    is_both = study.design == "both"
    compared = {arm: study.reference_of(arm) for arm in grid.compared}
    made = deduplicated(context_dependence(layout) if is_both else factorial(layout), compared)
    if not made.contrasts:
        return Effects()
    rule = replace(Rule.of(grid), is_watched=False)
    step = step_of(study.metric, grid.records.values())
    measured = [_measured(each, grid, rule, refused, step) for each in made.contrasts]
    is_whole = not refused and len(grid.incomplete(layout.arms)) <= study.max_missing
    return Effects(
        estimates=tuple(rule.decided(measured)),
        tables=two_way(layout, grid) if is_whole and not is_both else (),
        not_estimated=made.not_estimated,
        compared=made.compared,
    )


def deduplicated(made: Contrasts, compared: Mapping[str, str]) -> Contrasts:
    """Return the contrasts without those that are comparisons already, or that were made before.

    `compared` is arm → reference. Two effects with the same weights, but for the sign, are one
    number: a design that cannot separate them must not test it twice.
    """
    known = {_key({arm: 1.0, reference: -1.0}) for arm, reference in compared.items()}
    first: dict[frozenset[tuple[str, float]], Contrast] = {}
    for contrast in made.contrasts:
        first.setdefault(_key(contrast.weights), contrast)
    return replace(
        made,
        contrasts=tuple(contrast for key, contrast in first.items() if key not in known),
        compared=tuple(contrast.name for key, contrast in first.items() if key in known),
    )


def _key(weights: Weights) -> frozenset[tuple[str, float]]:
    """Return the weights without their sign."""
    sign = 1.0 if weights[min(weights)] > 0 else -1.0
    return frozenset((arm, round(sign * weight, 9)) for arm, weight in weights.items())


def _measured(
    contrast: Contrast, grid: RecordGrid, rule: Rule, refused: Mapping[str, str], step: float
) -> Effect:
    differences = grid.differences(contrast.weights)
    effect = Effect(
        kind=contrast.kind,
        name=contrast.name,
        against=contrast.against,
        num_pairs=len(differences.values),
        reason=contrast.reason,
        aliases=contrast.aliases,
        step=step,
    )
    reason = _incomparability(contrast, grid, refused)
    if reason:
        return replace(effect, verdict="not_comparable", reason=reason)
    parts = _simple_effects(contrast, grid, rule, step) if len(differences.values) > 1 else ()
    return rule.measured(replace(effect, parts=parts), differences)


def _incomparability(contrast: Contrast, grid: RecordGrid, refused: Mapping[str, str]) -> str:
    """Return why the contrast may not be measured, or an empty text."""
    odd = next((arm for arm in contrast.weights if arm in refused), None)
    if odd is not None:
        return f"{odd} is not comparable: {refused[odd]}"
    missing = grid.incomplete(list(contrast.weights))
    max_missing = grid.study.max_missing
    if len(missing) <= max_missing:
        return ""
    names = [f"seed {seed} fold {fold} of {first_of(arms)}" for (seed, fold), arms in missing]
    few = f"{plural(len(missing), 'block')} missing ({max_missing} allowed)"
    return f"{few}: {first_of(names)}"


def _simple_effects(
    contrast: Contrast, grid: RecordGrid, rule: Rule, step: float
) -> tuple[SimpleEffect, ...]:
    """Return them on the blocks of the whole, so that the second − the first is the interaction."""
    is_kept = grid.complete(contrast.weights)
    effects = []
    for name, weights in contrast.parts:
        components = grid.differences(weights, is_kept).components(step)
        assert components is not None
        mean, half = float(components.mean), rule.half_width(components, rule.alpha)
        bounds = (mean - half, mean + half) if math.isfinite(half) else (None, None)
        effects.append(SimpleEffect(name, mean, *bounds))
    return tuple(effects)


def two_way(layout: Layout, grid: RecordGrid) -> tuple[TwoWay, ...]:
    """Return a table of means for each pair of factors, the first six, over complete blocks.

    None for designs that are unbalanced in the other factors, or where the pair is aliased with a
    third factor.
    """
    is_kept = grid.complete(layout.arms)
    pairs = list(itertools.combinations(range(len(layout.factors)), 2))
    is_alike = layout.is_full or len(layout.factors) == 2
    if not is_kept.any() or not is_alike:
        return ()
    means = grid.values_of(layout.arms)[:, is_kept].mean(axis=1)
    return tuple(_table(layout, means, *pair) for pair in pairs[:MAX_TABLES])


def _table(layout: Layout, means: NDArray[np.float64], first: int, second: int) -> TwoWay:
    def mean(row: int, column: int) -> float | None:
        is_of_both = (layout.levels[:, first] == row) & (layout.levels[:, second] == column)
        return float(means[is_of_both].mean()) if is_of_both.any() else None

    one, other = layout.factors[first], layout.factors[second]
    return TwoWay(
        first=one.name,
        second=other.name,
        first_levels=one.levels,
        second_levels=other.levels,
        means=tuple(
            tuple(mean(row, column) for column in range(len(other.levels)))
            for row in range(len(one.levels))
        ),
    )
