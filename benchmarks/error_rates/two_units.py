"""Whether two learners differ, over trainings and over recordings at once.

A study varies in two ways: train again and the numbers change, take other recordings and they
change as well. Both parts of the variance are estimated (`parts.py`) and added up. What training
sets have in common is not seen inside one study, so the part of recordings is multiplied by a
factor that knows how far they overlap.

Legend: A arms of one family, S seeds, K folds, R recordings of all folds.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from parts import Parts

Array = NDArray[np.float64]

OVERLAP_SHARE = 0.5
"""Share of Nadeau and Bengio's correction that is put on recordings; found by simulation."""


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
