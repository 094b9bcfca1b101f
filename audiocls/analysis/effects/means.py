"""The metric at each pair of two factors' levels, for the picture of an interaction."""

import itertools

import numpy as np

from audiocls.analysis.effects.layout import Layout
from audiocls.analysis.effects.measure import BlockMatrix
from audiocls.analysis.effects.result import TwoWay

MAX_TABLES = 6


def two_way(layout: Layout, found: BlockMatrix) -> tuple[TwoWay, ...]:
    """A table for each pair of factors, the first six, over the blocks that all arms have.

    None of a design in which a pair's levels are in unlike company of the other factors, or in
    which a pair and a third factor are one.
    """
    is_kept = found.complete(layout.arms)
    pairs = list(itertools.combinations(range(len(layout.factors)), 2))
    is_alike = layout.is_full or len(layout.factors) == 2
    if not is_kept.any() or not is_alike:
        return ()
    means = found.values[[found.rows[arm] for arm in layout.arms]][:, is_kept].mean(axis=1)
    return tuple(_table(layout, means, *pair) for pair in pairs[:MAX_TABLES])


def _table(
    layout: Layout, means: np.ndarray[tuple[int], np.dtype[np.float64]], first: int, second: int
) -> TwoWay:
    def mean(row: int, column: int) -> float | None:
        both = (layout.levels[:, first] == row) & (layout.levels[:, second] == column)
        return float(means[both].mean()) if both.any() else None

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
