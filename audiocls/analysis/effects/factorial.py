"""Main effects and two-way interactions of full, incomplete and fractional factorial designs."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.effects.aliases import with_aliases
from audiocls.analysis.effects.contrast import Contrast, Contrasts, difference
from audiocls.analysis.effects.layout import Layout

Combinations = NDArray[np.int64]
"""Of the other factors' levels, a number each."""


@dataclass(frozen=True)
class Step:
    """From one level of a factor to another, as indices."""

    factor: int
    base: int
    level: int


def factorial(layout: Layout) -> Contrasts:
    """Each level against its factor's first one, averaged over the other factors; then pairs.

    In a balanced design (a full factorial, or a regular fraction: Box, Hunter and Hunter,
    "Statistics for Experimenters", 2005, chapters 5 and 6) the average is over all arms of a
    level. Where combinations were excluded it is over those that differ in nothing else.
    """
    found, lacking = [], []
    for steps in _wanted(layout):
        contrast = _contrast(layout, steps)
        if contrast is None:
            lacking.append(f"{_name(layout, steps)}: no arms differ in this and in nothing else")
            continue
        told = with_aliases(layout, contrast, [step.factor for step in steps])
        found += [told] if told else []
    return Contrasts(tuple(found), tuple(lacking))


def _wanted(layout: Layout) -> Iterator[tuple[Step, ...]]:
    """Every step from a factor's first level, then every pair of such steps."""
    steps = []
    for index, factor in enumerate(layout.factors):
        base = _base(layout, index)
        steps.append([Step(index, base, level) for level in range(base + 1, len(factor.levels))])
    yield from ((step,) for of_factor in steps for step in of_factor)
    for first, second in itertools.combinations(steps, 2):
        yield from itertools.product(first, second)


def _base(layout: Layout, index: int) -> int:
    """The first level, or the second where that of the recipe is in no company of the others.

    So it is with a factor that is varied only where another one has a certain level.
    """
    rest, own = _rest_of(layout, [index]), layout.levels[:, index]
    is_alone = not np.intersect1d(rest[own == 0], rest[own > 0]).size
    return int(is_alone and not layout.is_balanced and len(layout.factors[index].levels) > 2)


def _contrast(layout: Layout, steps: Sequence[Step]) -> Contrast | None:
    """None where these arms hold no such difference."""
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
    step, company = steps
    parts = tuple(_simple(layout, step, company.factor, at, is_kept) for at in _ends(company))
    weights = difference(parts[1][1], parts[0][1])
    return Contrast(name, "", "interaction", weights, parts=parts, reason=reason)


def _ends(step: Step) -> tuple[int, int]:
    return step.base, step.level


def _name(layout: Layout, steps: Sequence[Step]) -> str:
    return " × ".join(layout.factors[step.factor].named(step.level) for step in steps)


def _simple(
    layout: Layout, step: Step, company: int, at: int, is_kept: NDArray[np.bool_]
) -> tuple[str, dict[str, float]]:
    """The step's effect where another factor stands at one level, with its name."""
    name = f"{_name(layout, [step])} with {layout.factors[company].named(at)}"
    return name, _main(layout, step, is_kept & (layout.levels[:, company] == at))


def _main(layout: Layout, step: Step, is_kept: NDArray[np.bool_]) -> dict[str, float]:
    """The mean over the kept arms of the level − the mean over those of the base."""
    weights: dict[str, float] = {}
    for level, sign in ((step.level, 1.0), (step.base, -1.0)):
        rows = np.flatnonzero(is_kept & (layout.levels[:, step.factor] == level))
        weights |= {layout.arms[row]: sign / len(rows) for row in rows}
    return weights


def _shared(layout: Layout, steps: Sequence[Step], rest: Combinations) -> tuple[Combinations, int]:
    """The combinations that count, and how many there are of the levels asked for.

    All of a balanced design; otherwise those in which each of these levels has an arm.
    """
    if layout.is_balanced:
        return np.unique(rest), len(np.unique(rest))
    columns = [step.factor for step in steps]
    corners = itertools.product(*(_ends(step) for step in steps))
    found = [rest[(layout.levels[:, columns] == corner).all(axis=1)] for corner in corners]
    shared = found[0]
    for each in found[1:]:
        shared = np.intersect1d(shared, each)
    return shared, len(np.unique(np.concatenate(found)))


def _rest_of(layout: Layout, factors: Sequence[int]) -> Combinations:
    """One number an arm, equal where two arms agree in all but these factors."""
    others = np.delete(layout.levels, factors, axis=1)
    _, numbers = np.unique(others, axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def _over(num: int, num_all: int) -> str:
    return f"over {num} of {num_all} combinations of the other factors: the others lack an arm"
