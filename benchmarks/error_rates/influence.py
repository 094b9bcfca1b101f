"""What single recordings add to a difference: the unit over which a claim is to hold.

Legend: S seeds, N clips, R recordings of one fold.
"""

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
    is_of = recordings[:, np.newaxis] == np.arange(recordings.max() + 1)
    return np.asarray(away @ is_of / differences.shape[-1])


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
