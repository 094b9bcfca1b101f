"""Main effects and two-way interactions of full, incomplete and fractional factorial designs."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.contrasts.layout import Contrast, Contrasts, Layout, interaction

Combinations = NDArray[np.int64]
"""Of the other factors' levels, a number each. Shape: (arms,)"""
Columns = NDArray[np.float64]
"""A row for each arm, a column for each degree of freedom of an effect."""

MAX_ORDER = 4
"""Factors of an alias that is looked for: those of resolution V at most."""


@dataclass(frozen=True)
class Step:
    """From one level of a factor to another, as indices."""

    factor: int
    base: int
    level: int


def factorial(layout: Layout) -> Contrasts:
    """Return each level − its factor's first one, averaged over the other factors; then pairs.

    In a balanced design (a full factorial, or a regular fraction: Box, Hunter and Hunter,
    "Statistics for Experimenters", 2005, chapters 5 and 6) the average is over all arms of a
    level. Where combinations were excluded it is over those that differ in nothing else.
    """
    contrasts, not_estimated = [], []
    for steps in _wanted(layout):
        contrast = _contrast(layout, steps)
        if contrast is None:
            name = _name(layout, steps)
            not_estimated.append(f"{name}: no arms differ in this and in nothing else")
            continue
        aliased = _with_aliases(layout, contrast, [step.factor for step in steps])
        contrasts += [aliased] if aliased else []
    return Contrasts(tuple(contrasts), tuple(not_estimated))


def _wanted(layout: Layout) -> Iterator[tuple[Step, ...]]:
    """Yield every step from a factor's first level, then every pair of such steps."""
    steps = []
    for index, factor in enumerate(layout.factors):
        base = _base(layout, index)
        steps.append([Step(index, base, level) for level in range(base + 1, len(factor.levels))])
    yield from ((step,) for of_factor in steps for step in of_factor)
    for first, second in itertools.combinations(steps, 2):
        yield from itertools.product(first, second)


def _base(layout: Layout, index: int) -> int:
    """Return the first level, or the second where no other arm differs from the first in it alone.

    So it is with a factor that is varied only where another one has a certain level: its first
    level is the recipe's, which stands beside other levels of that other factor.
    """
    rest, levels = _rest_of(layout, [index]), layout.levels[:, index]
    is_alone = not np.intersect1d(rest[levels == 0], rest[levels > 0]).size
    return int(is_alone and not layout.is_balanced and len(layout.factors[index].levels) > 2)


def _contrast(layout: Layout, steps: Sequence[Step]) -> Contrast | None:
    """Return the contrast of one step or of two; `None` where no arms differ by just these."""
    rest = _rest_of(layout, [step.factor for step in steps])
    shared, num_all = _shared(layout, steps, rest)
    if not shared.size:
        return None
    is_kept = np.isin(rest, shared)
    name = _name(layout, steps)
    reason = "" if len(shared) == num_all else _over(len(shared), num_all)
    if len(steps) == 1:
        weights = _main(layout, steps[0], is_kept)
        against = layout.factors[steps[0].factor].named(steps[0].base)
        return Contrast(name, against, "main", weights, reason=reason)
    step, other = steps
    parts = tuple(_simple(layout, step, other.factor, at, is_kept) for at in _ends(other))
    return interaction(name, parts, reason)


def _ends(step: Step) -> tuple[int, int]:
    return step.base, step.level


def _name(layout: Layout, steps: Sequence[Step]) -> str:
    return " × ".join(layout.factors[step.factor].named(step.level) for step in steps)


def _simple(
    layout: Layout, step: Step, other: int, at: int, is_kept: NDArray[np.bool_]
) -> tuple[str, dict[str, float]]:
    """Return the step's effect where another factor stands at one level, with its name."""
    name = f"{_name(layout, [step])} with {layout.factors[other].named(at)}"
    return name, _main(layout, step, is_kept & (layout.levels[:, other] == at))


def _main(layout: Layout, step: Step, is_kept: NDArray[np.bool_]) -> dict[str, float]:
    """Return the mean over the kept arms of the level − the mean over those of the base."""
    weights: dict[str, float] = {}
    for level, sign in ((step.level, 1.0), (step.base, -1.0)):
        rows = np.flatnonzero(is_kept & (layout.levels[:, step.factor] == level))
        weights |= {layout.arms[row]: sign / len(rows) for row in rows}
    return weights


def _shared(layout: Layout, steps: Sequence[Step], rest: Combinations) -> tuple[Combinations, int]:
    """Return the combinations that count, and how many there are of the steps' levels.

    All of a balanced design; otherwise those in which each of these levels has an arm.
    """
    if layout.is_balanced:
        return np.unique(rest), len(np.unique(rest))
    columns = [step.factor for step in steps]
    corners = itertools.product(*(_ends(step) for step in steps))
    at_corners = [rest[(layout.levels[:, columns] == corner).all(axis=1)] for corner in corners]
    shared = reduce(np.intersect1d, at_corners)
    return shared, len(np.unique(np.concatenate(at_corners)))


def _rest_of(layout: Layout, factors: Sequence[int]) -> Combinations:
    """Return a number for each arm, equal where two arms agree in all but these factors."""
    others = np.delete(layout.levels, factors, axis=1)
    _, numbers = np.unique(others, axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def _over(num: int, num_all: int) -> str:
    return f"over {num} of {num_all} combinations of the other factors: the others lack an arm"


def _with_aliases(layout: Layout, contrast: Contrast, indices: Sequence[int]) -> Contrast | None:
    """Return the contrast with its shortest aliases; `None` if it is better read as a main effect.

    `indices` are those of its factors. Only a fraction has any: of an incomplete design the
    contrasts are of arms that differ in nothing else.
    """
    if layout.is_full or not layout.is_balanced:
        return contrast
    weights = np.array([contrast.weights.get(arm, 0.0) for arm in layout.arms])
    codes = [_codes(layout.levels[:, index]) for index in range(len(layout.factors))]
    for order in range(1, min(MAX_ORDER, len(codes)) + 1):
        named = tuple(_aliases_of_order(layout, codes, weights, tuple(indices), order))
        if named:
            is_main_effect = order == 1 and len(indices) > 1
            return None if is_main_effect else replace(contrast, aliases=named)
    return contrast


def _aliases_of_order(
    layout: Layout, codes: Sequence[Columns], weights: Columns, indices: tuple[int, ...], order: int
) -> Iterator[str]:
    """Yield the effects of so many factors that the weights cannot separate from their own."""
    for factors in itertools.combinations(range(len(codes)), order):
        if factors == indices:
            continue
        seen = weights @ reduce(_products, [codes[index] for index in factors])
        if np.abs(seen).max() > 1e-9:
            # Factors of two levels have one column, whose sign is the alias's.
            sign = "−" if seen.size == 1 and seen[0] < 0 else ""
            yield sign + " × ".join(layout.factors[index].name for index in factors)


def _codes(levels: NDArray[np.int64]) -> Columns:
    """Return columns that sum to zero over the levels: −1 and 1 where there are two."""
    num = int(levels.max()) + 1
    return np.vstack([-np.ones(num - 1), np.eye(num - 1)])[levels]


def _products(left: Columns, right: Columns) -> Columns:
    """Return every product of columns of two factors: the columns of their interaction."""
    return (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
