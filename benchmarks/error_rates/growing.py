"""The two-unit test of a study that is looked at after every seed, and when to give an arm up.

Legend: A arms of one family, S seeds, K folds, R recordings of all folds.
"""

import numpy as np
from e_process import anytime_quantile
from numpy.typing import NDArray
from parts import Parts
from two_units import half_widths, overlap_factor, replicate_errors

Array = NDArray[np.float64]


def anytime_half_widths(parts: Parts, test_train_ratio: float, alpha: float) -> Array:
    """Return half the widths of intervals that hold at this look and all others together.

    More seeds never bring new recordings. So the error of the recordings is one draw, which no
    number of looks makes larger, and has an ordinary quantile; that of the trainings changes with
    every seed, and has the quantile of the e-process. Half widths add up by their squares, since
    both errors must be large at once to exceed them.

    Shape: → (..., A)
    """
    from scipy.special import stdtrit

    lasting = overlap_factor(parts.num_folds, test_train_ratio) * np.maximum(
        parts.by_recording - parts.by_both, 0.0
    )
    trainings = np.maximum(parts.by_seed, parts.by_both)
    df = parts.num_recordings - parts.num_folds
    fixed = float(stdtrit(df, 1 - alpha / 2))
    growing = anytime_quantile(parts.num_seeds, parts.num_folds, alpha)
    if np.isinf(growing):
        return np.full(parts.mean.shape, np.inf)
    both = np.sqrt(fixed**2 * lasting + growing**2 * trainings)
    return np.asarray(np.maximum(both, replicate_errors(parts).half_width(alpha)))


def is_futile(
    parts: Parts, test_train_ratio: float, wanted: float, confidence: float = 0.9
) -> NDArray[np.bool_]:
    """Whether an effect as large as `wanted`, in units of the metric, is out of sight by now.

    The ordinary interval of that confidence lies within ±`wanted`. The stop is not binding: to go
    on all the same raises no error rate, since to stop only takes claims away.

    Shape: → (..., A)
    """
    half = half_widths(parts, test_train_ratio, 1 - confidence)
    return np.asarray(np.abs(parts.mean) + half < wanted)
