"""The test for trials whose predictions were not kept: seeds crossed with folds.

Legend: A arms of one family, S seeds, K folds.
"""

import numpy as np
from numpy.typing import NDArray
from two_units import Errors, overlap_factor

Array = NDArray[np.float64]


def crossed_errors(trials: Array, test_train_ratio: float) -> Errors:
    """Return errors of mean differences over seeds × folds, from the metric's values alone.

    Seeds of one fold share their training and test clips, so only folds are replicates of the
    data. With mean squares F between folds and W within them, the variance of the mean is
    (max(F, W) + (f − 1)·max(F − W, 0))/(S·K): what seeds do not explain counts f times
    (`two_units.overlap_factor`), for the training sets that folds share. Arms of a family share
    their estimate as in `two_units.replicate_errors`.

    One fold: the plain paired t test over seeds, which speaks of this split of the data alone.

    Shape: (..., A, S, K) → (..., A)
    """
    num_arms, num_seeds, num_folds = trials.shape[-3:]
    between = within = np.zeros(trials.shape[:-2])
    if num_seeds > 1:
        within = trials.var(axis=-2, ddof=1).mean(axis=-1)
    if num_folds > 1:
        between = num_seeds * trials.mean(axis=-2).var(axis=-1, ddof=1)
    own = _variance(between, within, num_seeds, num_folds, test_train_ratio)
    replicates = num_folds if num_folds > 1 else num_seeds
    df = (replicates - 1) * num_arms / (1 + (num_arms - 1) / 4)
    if df == 0:
        return Errors(np.full(own.shape, np.inf), np.ones(own.shape))
    shared = own.mean(axis=-1, keepdims=True)
    return Errors(np.sqrt(np.maximum(own, shared)), np.full(own.shape, df))


def _variance(between: Array, within: Array, num_seeds: int, num_folds: int, ratio: float) -> Array:
    if num_folds == 1:
        return within / num_seeds
    lasting = (overlap_factor(num_folds, ratio) - 1) * np.maximum(between - within, 0.0)
    return np.asarray((np.maximum(between, within) + lasting) / (num_seeds * num_folds))
