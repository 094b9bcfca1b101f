"""A contrast on each block: its value, and what each recording adds to it.

Legend: S seeds of a fold, R recordings of a fold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.influences import Influences
from audiocls.stats import FoldDifferences, VarianceComponents, components_of

Difference = tuple[int, int, float]
"""A seed, a fold and the contrast's value there, in units of the metric."""


InfluencesOf = Mapping[str, Influences | str]
"""Trial id → what recordings add to its metric, or why that is unknown."""


@dataclass(frozen=True, eq=False)
class BlockDifferences:
    """A contrast's values, and the influences of recordings on them where all are known."""

    values: tuple[Difference, ...]
    influences: tuple[Influences, ...] = ()
    """Of each of the values; empty where some are unknown."""
    reason: str = ""
    """Why some are unknown."""

    def components(self, step: float = 0.0) -> VarianceComponents | None:
        """Return the components of the mean's variance; `None` without a value.

        `step` is the smallest change that the metric can show; 0 if unknown.
        """
        if not self.values:
            return None
        folds = sorted({fold for _, fold, _ in self.values})
        return components_of([self._on(fold) for fold in folds], step)

    def _on(self, fold: int) -> FoldDifferences:
        indices = [index for index, (_, at, _) in enumerate(self.values) if at == fold]
        values = np.array([self.values[index][2] for index in indices])
        if not self.influences:
            return FoldDifferences(values)
        rows = [self.influences[index].values for index in indices]
        return FoldDifferences(values, np.stack(rows))

    def minus(self, other: "BlockDifferences") -> "BlockDifferences":
        """Return the difference of two contrasts on the blocks that both have."""
        ours, theirs = self._by_block(), other._by_block()
        shared = [block for block in ours if block in theirs]
        values = tuple((*b, round(ours[b][0] - theirs[b][0], 12)) for b in shared)
        sides = [(ours[block][1], theirs[block][1]) for block in shared]
        differences = [_difference(one, another) for one, another in sides]
        return with_influences(values, differences, self.reason or other.reason)

    def _by_block(self) -> dict[tuple[int, int], tuple[float, Influences | None]]:
        known: Sequence[Influences | None] = self.influences or [None] * len(self.values)
        return {
            (seed, fold): (value, influences)
            for (seed, fold, value), influences in zip(self.values, known, strict=True)
        }


def _difference(one: Influences | None, another: Influences | None) -> Influences | str:
    if one is None or another is None:
        return "no predictions"
    return combined([(1.0, one), (-1.0, another)])


def combined(weighted: Sequence[tuple[float, Influences]]) -> Influences | str:
    """Return the weighted sum of several trials' influences, or why there is none.

    The trials must be tested on the same recordings, of which there are two at least.
    """
    recordings = weighted[0][1].recordings
    if any(not _are_same(each.recordings, recordings) for _, each in weighted):
        return "not tested on the same recordings"
    if len(recordings) < 2:
        return "all test clips of a fold are of one recording"
    values = sum(weight * each.values for weight, each in weighted)
    return Influences(recordings, np.asarray(values))


def _are_same(one: NDArray[np.str_], other: NDArray[np.str_]) -> bool:
    return one is other or np.array_equal(one, other)


def with_influences(
    values: tuple[Difference, ...], influences: Sequence[Influences | str], reason: str = ""
) -> BlockDifferences:
    """Return the values with the influences that were found of them, if all were and agree."""
    known = tuple(each for each in influences if isinstance(each, Influences))
    reasons = [each for each in influences if isinstance(each, str)]
    if reasons or not known:
        return BlockDifferences(values, reason=reason or next(iter(reasons), ""))
    first: dict[int, Influences] = {}
    for (_, fold, _), each in zip(values, known, strict=True):
        if not _are_same(each.recordings, first.setdefault(fold, each).recordings):
            return BlockDifferences(values, reason="seeds of a fold with unlike recordings")
    return BlockDifferences(values, known)
