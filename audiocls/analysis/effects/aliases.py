"""What a fraction of a factorial design cannot tell apart."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.effects.contrast import Contrast
from audiocls.analysis.effects.layout import Layout

Columns = NDArray[np.float64]
"""A row an arm."""

MAX_ORDER = 4
"""Factors of an alias that is looked for: those of resolution V at most."""


def with_aliases(layout: Layout, contrast: Contrast, own: Sequence[int]) -> Contrast | None:
    """The contrast with its shortest aliases; none if it is better read as a main effect.

    `own` are the indices of its factors. Only a fraction has any: of an incomplete design the
    contrasts are of arms that differ in nothing else.
    """
    if layout.is_full or not layout.is_balanced:
        return contrast
    weights = np.array([contrast.weights.get(arm, 0.0) for arm in layout.arms])
    codes = [_codes(layout.levels[:, index]) for index in range(len(layout.factors))]
    for order in range(1, min(MAX_ORDER, len(codes)) + 1):
        named = tuple(_named(layout, codes, weights, tuple(own), order))
        if named:
            is_main_effect = order == 1 and len(own) > 1
            return None if is_main_effect else replace(contrast, aliases=named)
    return contrast


def _named(
    layout: Layout, codes: Sequence[Columns], weights: Columns, own: tuple[int, ...], order: int
) -> Iterator[str]:
    for factors in itertools.combinations(range(len(codes)), order):
        if factors == own:
            continue
        seen = weights @ reduce(_products, [codes[index] for index in factors])
        if np.abs(seen).max() > 1e-9:
            # Factors of two levels have one column, whose sign is the alias's.
            sign = "−" if seen.size == 1 and seen[0] < 0 else ""
            yield sign + " × ".join(layout.factors[index].name for index in factors)


def _codes(levels: NDArray[np.int64]) -> Columns:
    """Columns that sum to zero over the levels: −1 and 1 where there are two."""
    num = int(levels.max()) + 1
    return np.vstack([-np.ones(num - 1), np.eye(num - 1)])[levels]


def _products(left: Columns, right: Columns) -> Columns:
    """Every product of a column of one factor and a column of another: their interaction's."""
    return (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
