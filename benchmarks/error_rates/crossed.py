"""The test for trials whose predictions were not kept: seeds crossed with folds.

Legend: A arms of one family, S seeds, K folds.
"""

import numpy as np
from numpy.typing import NDArray
from two_units import Errors

Array = NDArray[np.float64]


def crossed_errors(trials: Array, test_train_ratio: float) -> Errors:
    """Return errors of mean differences over seeds × folds, from the metric's values alone.

    Seeds of one fold share their training and test clips, so only folds are replicates of the
    data. With mean squares F between folds and W within them, the variance of the mean is
    max(F·(1/K + r) − ½·r·W, F/K, W/K)/S for r = n_test/n_train: Nadeau and Bengio's correction
    (Machine Learning 52, 2003) on the part that seeds do not explain. With one seed that is
    theirs. Arms of a family share their estimate as in `two_units.replicate_errors`.

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
    overlap = between * (1 / num_folds + ratio) - 0.5 * ratio * within
    least = np.maximum(between, within) / num_folds
    corrected = overlap if num_seeds == 1 else np.maximum(overlap, least)
    return np.asarray(corrected / num_seeds)
