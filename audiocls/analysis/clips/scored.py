"""Predictions of trials for their test clips, and those of two arms for the same clips.

Legend: N clips, M clips of all blocks, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.str_]
Integers = NDArray[np.int64]
Shares = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """One trial's test clips in the order of their ids; for data with one label a clip."""

    clips: Texts
    sources: Texts
    labels: Integers
    """(N,)"""
    probabilities: Shares
    """(N, K)"""

    @cached_property
    def is_right(self) -> NDArray[np.bool_]:
        return np.asarray(self.probabilities.argmax(1) == self.labels)

    def same_clips_as(self, other: "Scored") -> bool:
        """Whether both are of the same clips, with the same sources, labels and classes."""
        return (
            np.array_equal(self.clips, other.clips)
            and np.array_equal(self.sources, other.sources)
            and np.array_equal(self.labels, other.labels)
            and self.probabilities.shape == other.probabilities.shape
        )


def scored(predictions: Mapping[str, NDArray[Any]]) -> Scored:
    """Return the arrays of a trial's `predictions.npz`; raises `ValueError` for NaN or infinity."""
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
    """Each clip once, with two arms' predictions over the seeds that both were trained with."""

    clips: Texts
    sources: Texts
    labels: Integers
    """(N,)"""
    num_heard: Integers
    """Seeds, (N,)."""
    num_right: tuple[Integers, Integers]
    """Seeds of the reference and of the arm that are right, each (N,)."""
    probabilities: tuple[Shares, Shares]
    """Mean over seeds, of the reference and of the arm, each (N, K)."""

    @property
    def gains(self) -> Integers:
        """(N,): seeds right with the arm − seeds right with its reference."""
        return self.num_right[1] - self.num_right[0]


def side_by_side(blocks: Sequence[tuple[Scored, Scored]]) -> SideBySide:
    """Return (reference, arm) of each block side by side; both must be of the same clips."""
    ids = np.concatenate([reference.clips for reference, _ in blocks])
    clips, first, index = np.unique(ids, return_index=True, return_inverse=True)
    num_heard = np.bincount(index)
    sides = tuple(zip(*blocks, strict=True))

    def right(side: Sequence[Scored]) -> Integers:
        is_right = np.concatenate([each.is_right for each in side])
        return np.bincount(index, weights=is_right).astype(np.int64)

    def mean(side: Sequence[Scored]) -> Shares:
        rows = np.concatenate([each.probabilities for each in side])
        total = np.zeros((len(clips), rows.shape[1]))
        np.add.at(total, index, rows)
        return total / num_heard[:, None]

    return SideBySide(
        clips=clips,
        sources=np.concatenate([each.sources for each in sides[0]])[first],
        labels=np.concatenate([each.labels for each in sides[0]])[first],
        num_heard=num_heard,
        num_right=(right(sides[0]), right(sides[1])),
        probabilities=(mean(sides[0]), mean(sides[1])),
    )
