"""The variance of a mean difference by its sources: trainings, recordings, and both.

Trainings (seeds) are crossed with recordings, as readers with cases in the reading of medical
images, and the variance has a part for each, and one for both (B. D. Gallas, Academic Radiology
13, 2006; Chen, Gallas and Yousef, Pattern Recognition 45, 2012, for classifiers).

Legend: A arms of one family, S seeds, K folds, R recordings of all folds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Parts:
    """Mean difference, and estimates of its variance by source; each of shape (..., A)."""

    mean: Array
    by_recording: Array
    """Of the mean over seeds, from one recording to another inside its fold."""
    by_seed: Array
    """From one training to another inside a fold; 0 with one seed, where nothing is known."""
    by_both: Array
    """The share of `by_seed` that single recordings explain; 0 with one seed."""
    by_fold: Array
    """From one fold's mean to another's, whatever the cause; 0 with one fold."""
    num_seeds: int
    num_folds: int
    num_recordings: int


def parts_of(trials: Array, influences: Array, folds: NDArray[np.int64]) -> Parts:
    """Return the parts of the variance of the mean of `trials`.

    `trials` are differences of the metric, arm − reference, of every seed and fold; `influences`
    what each recording adds to its trial's difference (see `influence.py`), with a sum of 0 over
    each fold; `folds` says to which column of `trials` a recording belongs.

    Shape: trials (..., A, S, K), influences (..., A, S, R), folds (R,)
    """
    num_seeds, num_folds = trials.shape[-2:]
    sizes = np.bincount(folds, minlength=num_folds)
    if sizes.min() < 2:
        raise ValueError(f"a fold needs at least two recordings, got {sizes.min()}")
    bessel = (sizes / (sizes - 1))[folds] / num_folds**2
    over_seeds = influences.mean(axis=-2, keepdims=True)
    by_recording = (over_seeds[..., 0, :] ** 2) @ bessel
    none = np.zeros_like(by_recording)
    of_folds = trials.mean(axis=-2)
    by_seed = by_both = none
    if num_seeds > 1:
        by_seed = trials.var(axis=-2, ddof=1).sum(axis=-1) / (num_seeds * num_folds**2)
        spread = ((influences - over_seeds) ** 2).sum(axis=-2) / (num_seeds - 1)
        by_both = spread @ bessel / num_seeds
    by_fold = of_folds.var(axis=-1, ddof=1) / num_folds if num_folds > 1 else none
    mean = of_folds.mean(axis=-1)
    return Parts(mean, by_recording, by_seed, by_both, by_fold, num_seeds, num_folds, len(folds))
