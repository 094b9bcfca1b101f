"""Whether two learners differ, over trainings and over recordings at once.

A study varies in two ways: train again and the numbers change, take other recordings and they
change as well. Trainings (seeds) are crossed with recordings, as readers with cases in the reading
of medical images, and the variance of a mean difference has a part for each, and one for both
(B. D. Gallas, Academic Radiology 13, 2006; Chen, Gallas and Yousef, Pattern Recognition 45, 2012,
for classifiers). What two training sets have in common is not seen inside one study, so the part
of recordings is multiplied by a factor that knows how far training sets overlap.

Legend: A arms of one family, S seeds, K folds, R recordings of all folds.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OVERLAP_SHARE = 0.5
"""Share of Nadeau and Bengio's correction that is put on recordings; found by simulation."""


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


@dataclass(frozen=True, eq=False)
class Errors:
    """A standard error with its degrees of freedom; each of shape (..., A)."""

    error: Array
    df: Array

    def half_width(self, alpha: float) -> Array:
        """Return half the width of the 1 − `alpha` interval around the mean."""
        from scipy.special import stdtrit

        return np.asarray(self.error * stdtrit(self.df, 1 - alpha / 2))

    def p(self, distance: Array) -> Array:
        """Return the two-sided p of a distance from 0; 1 for 0, even without an error."""
        from scipy.special import stdtr

        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(distance) / self.error
        return np.asarray(2 * stdtr(self.df, -np.nan_to_num(t, nan=0.0, posinf=np.inf)))


def overlap_factor(num_folds: int, test_train_ratio: float) -> float:
    """Return the factor on the variance over recordings for `num_folds` folds that were used.

    Nadeau and Bengio (Machine Learning 52, 2003) put n_test/n_train beside 1/K, which is a factor
    of 1 + K·n_test/n_train. Half of that is enough here (`OVERLAP_SHARE`): over learners that are
    trained on overlapping sets of fresh data, the true variance is 0.9 to 1.7 times that inside a
    study, for 1 to 10 folds.

    >>> round(overlap_factor(5, 1 / 3), 2)
    1.83
    """
    return 1 + OVERLAP_SHARE * num_folds * test_train_ratio


def two_unit_errors(parts: Parts, test_train_ratio: float) -> Errors:
    """Return the error over trainings and recordings: their parts add up.

    V = f·max(V_recording − V_both, 0) + max(V_seed, V_both): what persists over seeds is of the
    recordings and so of the data, f times (`overlap_factor`); the rest is of the trainings. Degrees
    of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946).
    """
    lasting = overlap_factor(parts.num_folds, test_train_ratio) * np.maximum(
        parts.by_recording - parts.by_both, 0.0
    )
    shifts = np.maximum(parts.by_seed - parts.by_both, 0.0)
    over_recordings = lasting + parts.by_both
    df_recordings = parts.num_recordings - parts.num_folds
    df_seeds = max(1, parts.num_folds * (parts.num_seeds - 1))
    total = over_recordings + shifts
    with np.errstate(invalid="ignore"):
        df = total**2 / (over_recordings**2 / df_recordings + shifts**2 / df_seeds)
    return Errors(np.sqrt(total), np.nan_to_num(df, nan=float(df_recordings)))


def replicate_errors(parts: Parts) -> Errors:
    """Return the error by the study's largest units alone: folds, or seeds where there is one fold.

    Whatever befalls a whole fold (a lucky training set, a setting that was tuned on it) is seen
    by no recording of it, but by the other folds. Few folds give a poor estimate, so arms of a
    family share theirs: the variance is the larger of an arm's own and the mean over arms, with
    the degrees of freedom of the latter. g arms against one reference have g/(1 + (g − 1)/4) times
    those of one, since two differences correlate by 1/2 and their variances by 1/4.

    The larger of both needs no test for whether arms are alike: an arm that varies more than the
    others is judged by itself.
    """
    own = parts.by_fold if parts.num_folds > 1 else parts.by_seed
    num_arms = own.shape[-1]
    replicates = parts.num_folds if parts.num_folds > 1 else parts.num_seeds
    df = max(0, replicates - 1) * num_arms / (1 + (num_arms - 1) / 4)
    if df == 0:
        return Errors(np.full(own.shape, math.inf), np.ones(own.shape))
    shared = own.mean(axis=-1, keepdims=True)
    return Errors(np.sqrt(np.maximum(own, shared)), np.full(own.shape, df))


def p_values(parts: Parts, test_train_ratio: float) -> Array:
    """Return each arm's two-sided p before correction: a claim needs both errors to allow it.

    Shape: → (..., A)
    """
    errors = (two_unit_errors(parts, test_train_ratio), replicate_errors(parts))
    return np.maximum(*(error.p(parts.mean) for error in errors))


def half_widths(parts: Parts, test_train_ratio: float, alpha: float) -> Array:
    """Return half the widths of the 1 − `alpha` intervals that belong to `p_values`.

    Shape: → (..., A)
    """
    errors = (two_unit_errors(parts, test_train_ratio), replicate_errors(parts))
    return np.maximum(*(error.half_width(alpha) for error in errors))
