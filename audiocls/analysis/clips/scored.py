"""What trials said of their test clips, and two arms' answers to the same ones side by side.

Legend: N clips, M clips of all blocks, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.str_]
Whole = NDArray[np.int64]
Shares = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """One trial's test clips in the order of their ids; for data with one label a clip."""

    clips: Texts
    sources: Texts
    labels: Whole
    """(N,)"""
    probabilities: Shares
    """(N, K)"""

    @cached_property
    def is_right(self) -> NDArray[np.bool_]:
        return np.asarray(self.probabilities.argmax(1) == self.labels)

    def same_clips_as(self, other: "Scored") -> bool:
        """Whether both were asked the same of the same clips."""
        return (
            np.array_equal(self.clips, other.clips)
            and np.array_equal(self.sources, other.sources)
            and np.array_equal(self.labels, other.labels)
            and self.probabilities.shape == other.probabilities.shape
        )


def scored(predictions: Mapping[str, NDArray[Any]]) -> Scored:
    """From the arrays of a trial's `predictions.npz`; raises `ValueError` for what is no number."""
    order = np.argsort(predictions["clips"], kind="stable")
    logits = predictions["logits"][order].astype(float)
    if not np.isfinite(logits).all():
        raise ValueError("its logits hold NaN or infinity")
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return Scored(
        clips=predictions["clips"][order],
        sources=predictions["sources"][order],
        labels=predictions["labels"][order].astype(np.int64),
        probabilities=odds / odds.sum(1, keepdims=True),
    )


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Each clip once, as two arms heard it over the seeds that both were trained with."""

    clips: Texts
    sources: Texts
    labels: Whole
    """(N,)"""
    num_heard: Whole
    """Seeds, (N,)."""
    num_right: tuple[Whole, Whole]
    """Seeds of the reference and of the arm that are right, each (N,)."""
    probabilities: tuple[Shares, Shares]
    """Mean over seeds, of the reference and of the arm, each (N, K)."""

    @property
    def gains(self) -> Whole:
        """(N,): seeds right with the arm − seeds right with its reference."""
        return self.num_right[1] - self.num_right[0]


def side_by_side(blocks: Sequence[tuple[Scored, Scored]]) -> SideBySide:
    """(reference, arm) of each block, which must have heard the same clips."""
    ids = np.concatenate([reference.clips for reference, _ in blocks])
    clips, first, place = np.unique(ids, return_index=True, return_inverse=True)
    num_heard = np.bincount(place)
    sides = tuple(zip(*blocks, strict=True))

    def right(side: Sequence[Scored]) -> Whole:
        is_right = np.concatenate([each.is_right for each in side])
        return np.bincount(place, weights=is_right).astype(np.int64)

    def mean(side: Sequence[Scored]) -> Shares:
        rows = np.concatenate([each.probabilities for each in side])
        total = np.zeros((len(clips), rows.shape[1]))
        np.add.at(total, place, rows)
        return total / num_heard[:, None]

    return SideBySide(
        clips=clips,
        sources=np.concatenate([each.sources for each in sides[0]])[first],
        labels=np.concatenate([each.labels for each in sides[0]])[first],
        num_heard=num_heard,
        num_right=(right(sides[0]), right(sides[1])),
        probabilities=(mean(sides[0]), mean(sides[1])),
    )
