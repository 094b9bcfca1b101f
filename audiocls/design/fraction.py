"""Regular fractions of two-level designs: few arms that still separate the factors.

Legend: a factor's column is a sum, modulo 2, of base factors, written as the bits of a number.
Base factors come first and are varied in full; levels are 0 (the first) and 1 (the second). So
the run of all first levels is in every fraction here, which ± signs would need flipped
generators for.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import or_, xor

MOST_FACTORS = 11
"""As in the textbook's table; with more, the search for the best fraction takes too long."""

Effect = tuple[int, ...]
"""Factors by position: one for a main effect, two for their interaction."""


@dataclass(frozen=True)
class Fraction:
    """A regular fraction: which of the 2^n combinations are run, and which effects are aliased.

    Box, Hunter and Hunter, Statistics for Experimenters, 2nd ed. (2005), chapter 6.
    """

    columns: tuple[int, ...]

    @property
    def num_base(self) -> int:
        return reduce(or_, self.columns).bit_length()

    @property
    def runs(self) -> list[tuple[int, ...]]:
        """The level (0 or 1) of each factor, run by run; the last base factor varies fastest."""
        base = itertools.product((0, 1), repeat=self.num_base)
        settings = (sum(bit << i for i, bit in enumerate(bits)) for bits in base)
        return [
            tuple((setting & column).bit_count() % 2 for column in self.columns)
            for setting in settings
        ]

    @property
    def resolution(self) -> int:
        """The length of the shortest word: main effects of III meet two-way interactions."""
        lengths = _word_lengths(self.columns, self.num_base)
        return next(i for i, count in enumerate(lengths) if count)

    @property
    def aliases(self) -> list[list[Effect]]:
        """Groups of main effects and two-way interactions that no analysis can separate."""
        return aliases(self.columns)


def aliases(columns: Sequence[int]) -> list[list[Effect]]:
    """Return groups of effects that share a column; those of main effects come first.

    A column may also hold the levels themselves, a bit a run, of any balanced two-level design.

    >>> aliases([0b01, 0b10, 0b11])
    [[(0,), (1, 2)], [(1,), (0, 2)], [(2,), (0, 1)]]
    """
    groups: dict[int, list[Effect]] = {}
    for size in (1, 2):
        for effect in itertools.combinations(range(len(columns)), size):
            groups.setdefault(reduce(xor, (columns[i] for i in effect)), []).append(effect)
    return [group for group in groups.values() if len(group) > 1]


@cache
def regular_fraction(num_factors: int, resolution: int) -> Fraction | None:
    """Return the fraction of least aberration among the smallest of at least that resolution.

    Aberration (Fries and Hunter, Technometrics 22, 1980) counts the shortest words first. `None`
    where every combination is needed.
    """
    for num_base in range(resolution - 1, num_factors):
        base = tuple(1 << i for i in range(num_base))
        pool = [v for v in range(1 << num_base) if v.bit_count() >= resolution - 1]
        fractions = _completed(base, pool, num_factors, resolution)
        best = min(fractions, key=lambda columns: _word_lengths(columns, num_base), default=None)
        if best is not None:
            return Fraction(best)
    return None


def _completed(
    columns: tuple[int, ...], pool: Sequence[int], num_factors: int, resolution: int
) -> Iterator[tuple[int, ...]]:
    """Yield every way to complete `columns` from `pool` without words below `resolution`."""
    num_missing = num_factors - len(columns)
    if num_missing == 0:
        yield columns
        return
    taken = _sums(columns, resolution - 2)
    free = [value for value in pool if value not in taken]
    for i, value in enumerate(free[: len(free) - num_missing + 1]):
        yield from _completed((*columns, value), free[i + 1 :], num_factors, resolution)


def _sums(columns: Sequence[int], most: int) -> set[int]:
    """Return the sums, modulo 2, of up to `most` columns."""
    return {
        reduce(xor, chosen)
        for size in range(1, most + 1)
        for chosen in itertools.combinations(columns, size)
    }


def _word_lengths(columns: Sequence[int], num_base: int) -> tuple[int, ...]:
    """Return how many words of the defining relation have 0, 1, 2, … letters."""
    counts = [0] * (len(columns) + 1)
    products = [(0, 0)]
    for column in columns[num_base:]:
        products += [(value ^ column, size + 1) for value, size in products]
    for value, size in products[1:]:
        counts[value.bit_count() + size] += 1
    return tuple(counts)
