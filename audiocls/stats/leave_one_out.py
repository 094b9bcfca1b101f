"""Metrics of classified clips: of all clips, and without those of each recording in turn.

What the jackknife needs (`influence.by_jackknife`), without a loop over recordings. A mean over
classes is over those with a positive clip among the clips that are left (for AUROC, a negative
one too), as in `training/metrics.py`; where no class remains, it is NaN.

Recordings are numbered from 0, in ascending order: the clips of each lie side by side.

Legend: K classes, k of them at a time, N clips, R recordings.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from audiocls.stats import ranked_clips
from audiocls.stats.influence import left_out

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

MOST_AT_A_TIME = 2**18
"""Classes × clips held in memory at a time: some 50 MB with all that is computed of them."""


def macro_recall(predicted: Bools, truth: Bools, recordings: Integers) -> Array:
    """Return the mean recall, which is balanced accuracy. Shape: (K, N), (K, N), (N,) → (1 + R,)"""
    return _macro(_recall, predicted, truth, recordings)


def macro_f1(predicted: Bools, truth: Bools, recordings: Integers) -> Array:
    """Return the mean F1. Shape: (K, N), (K, N), (N,) → (1 + R,)"""
    return _macro(_f1, predicted, truth, recordings)


def macro_auroc(scores: Array, truth: Bools, recordings: Integers) -> Array:
    """Return the mean area under the ROC curve. Shape: (K, N), (K, N), (N,) → (1 + R,)"""
    return _macro(ranked_clips.auroc, scores, truth, recordings)


def macro_average_precision(scores: Array, truth: Bools, recordings: Integers) -> Array:
    """Return the mean average precision. Shape: (K, N), (K, N), (N,) → (1 + R,)"""
    return _macro(ranked_clips.average_precision, scores, truth, recordings)


def calibration_error(gaps: Array, bins: Integers, recordings: Integers) -> Array:
    """Return the mean over clips of |mean of `gaps` in the clip's bin| (Guo et al., 2017).

    `gaps` are a clip's confidence, less 1 where it is classified correctly. There is a kink where
    a bin's mean is 0, which makes the jackknife's variance too large: in a simulation 1.7 times
    the true one with 40 recordings, 1.2 times with 400, right with 2000.

    Shape: (N,) each → (1 + R,)
    """
    is_in = np.arange(bins.max() + 1)[:, np.newaxis] == bins
    errors = np.abs(left_out(gaps * is_in, recordings)).sum(axis=0)
    return np.asarray(errors / left_out(np.ones(len(gaps)), recordings))


def _macro(
    ratio_of: Callable[..., tuple[Array, Array]],
    of_clips: NDArray[np.generic],
    truth: Bools,
    recordings: Integers,
) -> Array:
    """Return the mean of the classes' ratios; one whose denominator is 0 has no value.

    Shape: (K, N), (K, N), (N,) → (1 + R,)
    """
    step = max(1, MOST_AT_A_TIME // len(recordings))
    total, num_known = np.zeros((2, recordings[-1] + 2))
    for start in range(0, len(truth), step):
        some = slice(start, start + step)
        numerator, denominator = ratio_of(of_clips[some], truth[some], recordings)
        is_known = denominator > 0
        total += np.where(is_known, numerator / np.where(is_known, denominator, 1), 0).sum(axis=0)
        num_known += is_known.sum(axis=0)
    return np.where(num_known > 0, total / np.maximum(num_known, 1), np.nan)


def _recall(predicted: Bools, truth: Bools, recordings: Integers) -> tuple[Array, Array]:
    """Shape: (k, N), (k, N), (N,) → (k, 1 + R) each"""
    return left_out(predicted & truth, recordings), left_out(truth, recordings)


def _f1(predicted: Bools, truth: Bools, recordings: Integers) -> tuple[Array, Array]:
    """Shape: (k, N), (k, N), (N,) → (k, 1 + R) each"""
    support = left_out(truth, recordings)
    either = support + left_out(predicted, recordings)
    # Without a positive clip, F1 is undefined and not 0, even if one is predicted.
    return 2 * left_out(predicted & truth, recordings), either * (support > 0)
