"""What single recordings add to a metric, or to its difference: the unit a claim is to hold over.

Legend: S seeds, N clips, R recordings of one fold.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def of_mean(differences: Array, recordings: NDArray[np.int64]) -> Array:
    """Return each recording's influence on the mean over a fold's clips; they add up to 0.

    `differences` are those of each clip's score, such as right (1) or wrong (0), arm − reference;
    `recordings` number the recording of each clip from 0. Recordings may be of unlike length.

    >>> of_mean(np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([0, 0, 1, 2]))
    array([[ 0.25 , -0.125, -0.125]])

    Shape: (..., S, N), (N,) → (..., S, R)
    """
    away = differences - differences.mean(axis=-1, keepdims=True)
    return np.asarray(sums_by(away, recordings) / differences.shape[-1])


def by_jackknife(without_one: Array) -> Array:
    """Return each recording's influence on any metric, from its values without each recording.

    The jackknife (J. W. Tukey, Annals of Mathematical Statistics 29, 1958): n/(n − 1) times the
    sum of their squares is its variance, as it is for `of_mean`, to which this is equal where the
    metric is a mean and recordings are of like length. For macro F1, AUROC or mean average
    precision, over clips with one label or with several. Not for metrics that jump, such as the
    largest of something.

    `without_one` is the difference of the metric, arm − reference, on a fold without the clips
    of one recording, for each recording.

    Shape: (..., S, R) → (..., S, R)
    """
    num = without_one.shape[-1]
    return np.asarray((without_one.mean(axis=-1, keepdims=True) - without_one) * (num - 1) / num)


def sums_by(values: NDArray[Any], recordings: NDArray[np.int64]) -> Array:
    """Return the sum of each recording's values; `recordings` number them from 0.

    >>> sums_by(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0]))
    array([5., 2.])

    Shape: (..., N), (..., N) or (N,) → (..., R)
    """
    num = int(recordings.max()) + 1
    rows = np.arange(values[..., 0].size).reshape(*values.shape[:-1], 1)
    cells = rows * num + recordings
    sums = np.bincount(cells.ravel(), weights=values.ravel(), minlength=rows.size * num)
    return np.asarray(sums.reshape(*values.shape[:-1], num), dtype=float)


def left_out(values: NDArray[Any], recordings: NDArray[np.int64]) -> Array:
    """Return the sum over all clips, and then without those of each recording.

    >>> left_out(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0]))
    array([7., 2., 5.])

    Shape: (..., N), (..., N) or (N,) → (..., 1 + R)
    """
    of_recordings = sums_by(values, recordings)
    total = of_recordings.sum(axis=-1, keepdims=True)
    return np.concatenate([total, total - of_recordings], axis=-1)
