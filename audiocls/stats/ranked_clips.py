"""AUROC and average precision of classes, of all clips and without those of each recording.

Clips are ranked once. What a recording takes with it follows from counts at its own clips: the
pairs that they are in; and for average precision, how many of them are ranked above each positive
clip, which changes only where one of them is passed.

Recordings are numbered from 0, in ascending order. The functions return numerators and
denominators, of all clips first, then without each recording; a denominator is 0 where the metric
is undefined.

Legend: k classes, N clips, R recordings, P positive clips of all k classes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.influence import left_out, sums_by

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


def auroc(scores: Array, truth: Bools, recordings: Integers) -> tuple[Array, Array]:
    """Return pairs of a positive and a negative clip in the right order (ties half), and all pairs.

    Their share is the area under the ROC curve (Hanley and McNeil, Radiology 143, 1982).

    Shape: (k, N), (k, N), (N,) → (k, 1 + R) each
    """
    clips = _ranked(-scores, truth)
    own, inside = _by_recording(clips, recordings)
    positives_above = (clips.before + clips.through) / 2
    negatives_above = (clips.first + clips.last + 1) / 2 - positives_above
    negatives = (~truth).sum(axis=1, keepdims=True)
    pairs = np.where(clips.truth, negatives - negatives_above, positives_above)
    above_inside = (inside.before + inside.through) / 2 - _before_own(inside, recordings)
    counted_twice = sums_by(np.where(inside.truth, 0.0, above_inside), recordings)
    total = (pairs * clips.truth).sum(axis=1, keepdims=True)
    without = total - sums_by(pairs, own) + counted_twice
    all_pairs = left_out(truth, recordings) * left_out(~truth, recordings)
    return np.concatenate([total, without], axis=1), all_pairs


def average_precision(scores: Array, truth: Bools, recordings: Integers) -> tuple[Array, Array]:
    """Return the sum of the precision at every positive clip, and their number.

    The precision at a clip is that of all clips with its score or a greater one. Takes time in
    proportion to N and to the clips of the longest recording.

    Shape: (k, N), (k, N), (N,) → (k, 1 + R) each
    """
    clips = _ranked(-scores, truth)
    _, inside = _by_recording(clips, recordings)
    precision = clips.through / (clips.last + 1)
    total = (precision * clips.truth).sum(axis=1, keepdims=True)
    # Less the recording's own clips, the precision is also summed at its own positive ones.
    positives = inside.ranked(clips.through) - inside.through + _before_own(inside, recordings)
    ranked = inside.ranked(clips.last) - inside.last + _starts(recordings)[recordings]
    inside_recording = sums_by(inside.truth * positives / np.maximum(ranked, 1), recordings)
    without = _less_own_clips(clips, inside, recordings) - inside_recording
    return np.concatenate([total, without], axis=1), left_out(truth, recordings)


def _less_own_clips(clips: "_Ranked", inside: "_Ranked", recordings: Integers) -> Array:
    """Return the sum, over all positive clips, of the precision less each recording's clips.

    Between two clips of a recording, b of its clips and a positive ones of these are ranked above:
    Σ (found − a) / (ranked − b) is a difference of cumulated sums, which are taken for each b.

    Shape: (N,) → (k, R)
    """
    sizes = np.bincount(recordings)
    passed = np.arange(len(recordings)) - _starts(recordings)[recordings] + 1
    a = inside.cumulated[:, 1:] - _before_own(inside, recordings)
    of_recordings = sums_by(inside.truth.astype(float), recordings)
    ends = clips.cumulated[:, -1:].cumsum(axis=0)
    begins = ends - clips.cumulated[:, -1:]
    places = begins + inside.ranked(clips.before)
    positives, ranked = clips.through[clips.truth], (clips.last + 1)[clips.truth]
    between, rest = np.zeros(a.shape), np.zeros(of_recordings.shape)
    for b in range(sizes.max() + 1):
        weights = 1 / np.maximum(ranked - b, 1)
        sums = _cumulated(positives * weights), _cumulated(weights)
        if b == 0:
            rest -= sums[0][begins]
        begun, ended, last = passed == b, passed == b + 1, sizes == b
        between[:, begun] -= _up_to(places[:, begun], sums, a[:, begun])
        a_before = (a - inside.truth)[:, ended]
        between[:, ended] += _up_to(places[:, ended], sums, a_before)
        rest[:, last] += _up_to(ends, sums, of_recordings[:, last])
    return np.asarray(rest + sums_by(between, recordings))


def _up_to(places: Integers, sums: tuple[Array, Array], a: Integers | Array) -> Array:
    """Return Σ (found − a) / (ranked − b) over positive clips up to each place.

    Shape: (k, n), (P + 1,) each, (k, n) → (k, n)
    """
    return np.asarray(sums[0][places] - a * sums[1][places])


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Clips of each class in ascending order of a key; every array is of shape (k, N)."""

    order: Integers
    """The clip at each rank."""
    first: Integers
    """The first rank with the same key as this one."""
    last: Integers
    truth: Bools
    """Whether the clip at a rank is positive."""

    @cached_property
    def cumulated(self) -> Integers:
        """Positive clips at lower ranks. Shape: (k, N + 1)"""
        return _cumulated(self.truth)

    @cached_property
    def before(self) -> Integers:
        """Positive clips with a lower key."""
        return np.take_along_axis(self.cumulated, self.first, axis=1)

    @cached_property
    def through(self) -> Integers:
        """Positive clips with a lower key or the same one."""
        return np.take_along_axis(self.cumulated, self.last + 1, axis=1)

    def ranked(self, of_clips: Integers) -> Integers:
        """Return values of clips in the order of their ranks."""
        return np.take_along_axis(of_clips, self.order, axis=1)


def _ranked(keys: NDArray[Any], truth: Bools) -> _Ranked:
    """Return each class's clips by their keys. Shape: (k, N) each"""
    order = np.argsort(keys, axis=1)
    ascending = np.take_along_axis(keys, order, axis=1)
    ranks = np.broadcast_to(np.arange(keys.shape[1]), keys.shape)
    is_new = np.ones(keys.shape, dtype=bool)
    is_new[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    is_last = np.ones(keys.shape, dtype=bool)
    is_last[:, :-1] = is_new[:, 1:]
    first = np.maximum.accumulate(np.where(is_new, ranks, 0), axis=1)
    after = np.where(is_last, ranks, keys.shape[1])[:, ::-1]
    last = np.minimum.accumulate(after, axis=1)[:, ::-1]
    return _Ranked(order, first, last, np.take_along_axis(truth, order, axis=1))


def _by_recording(clips: _Ranked, recordings: Integers) -> tuple[Integers, _Ranked]:
    """Return the recording at each rank, and the ranks by recording, then rank.

    Shape: (N,) → (k, N)
    """
    own = recordings[clips.order]
    return own, _ranked(own * len(recordings) + clips.first, clips.truth)


def _starts(recordings: Integers) -> Integers:
    """Return each recording's first clip. Shape: (N,) → (R,)"""
    return np.searchsorted(recordings, np.arange(recordings[-1] + 1))


def _before_own(inside: _Ranked, recordings: Integers) -> Integers:
    """Return positive clips of the recordings before each clip's own. Shape: (N,) → (k, N)"""
    return inside.cumulated[:, _starts(recordings)[recordings]]


def _cumulated(values: NDArray[Any]) -> NDArray[Any]:
    """Return sums of the values before each, and of all. Shape: (..., N) → (..., N + 1)"""
    none = np.zeros((*values.shape[:-1], 1), dtype=int)
    return np.concatenate([none, values.cumsum(axis=-1)], axis=-1)
