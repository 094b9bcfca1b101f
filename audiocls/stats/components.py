"""The variance of a mean difference by its sources: trainings, recordings, and both.

Trainings (seeds) are crossed with recordings, as readers with cases in the reading of medical
images, and the variance has a component for each, and one for both (B. D. Gallas, "One-shot
estimate of MRMC variance: AUC", Academic Radiology 13, 2006; for right and wrong answers Gallas,
Pennello and Myers, JOSA A 24, 2007; for trained classifiers, by AUC, Chen, Gallas and Yousef,
"Classifier variability: accounting for training and testing", Pattern Recognition 45, 2012).

Legend: A arms of one family, S seeds of a fold, K folds, R recordings of a fold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldDifferences:
    """Differences of the metric, arm − reference, on one test fold."""

    trials: Array
    """Of every seed, (..., S)."""
    influences: Array | None = None
    """What each recording adds to them (`influence.py`), with a sum of 0, (..., S, R); `None`
    where predictions are missing."""


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """A mean difference and estimates of its variance by source; each of shape (..., A)."""

    mean: Array
    """Of the folds' means."""
    recording: Array
    """Of the mean over seeds, from one recording to another inside its fold."""
    seed: Array
    """From one training to another inside a fold; 0 with one seed, where nothing is known."""
    both: Array
    """The share of `seed` that single recordings explain; 0 with one seed."""
    fold: Array
    """From one fold's mean to another's, whatever the cause; 0 with one fold."""
    num_trials: int
    num_folds: int
    num_recordings: int
    """Of all folds; 0 where predictions are missing, so that `recording` and `both` are unknown."""

    @property
    def layout(self) -> tuple[int, int, int]:
        """What arms must have in common to share an estimate: trials, folds, recordings."""
        return self.num_trials, self.num_folds, self.num_recordings

    @property
    def df_seeds(self) -> int:
        return self.num_trials - self.num_folds

    @property
    def df_recordings(self) -> int:
        return self.num_recordings - self.num_folds


def components_of(folds: Sequence[FoldDifferences], step: float = 0.0) -> VarianceComponents:
    """Return the components of the variance of the mean over `folds`.

    Folds may have unlike numbers of seeds; the spread between seeds is pooled over folds.

    `step` is the smallest change that the metric can show, such as one test clip: rounding to it
    has a variance of step²/12 (Sheppard, Proc. London Math. Society 29, 1898), which the spread of
    trials cannot fall below. Two trainings that agree to the clip are no proof.

    Raises `ValueError` for a fold of one recording.
    """
    num_seeds = np.array([fold.trials.shape[-1] for fold in folds])
    num_trials, num_folds = int(num_seeds.sum()), len(folds)
    # From a variance among a fold's seeds to that of the mean over seeds and folds.
    of_mean = float((1 / num_seeds).sum()) / num_folds**2
    rounding = step**2 / 12 * of_mean
    fold_means = np.stack([fold.trials.mean(axis=-1) for fold in folds], axis=-1)
    none = np.zeros(fold_means.shape[:-1])
    seed, between = none, none
    if num_trials > num_folds:
        squares = [_squares(fold.trials, -1) for fold in folds]
        seed = np.maximum(np.sum(squares, axis=0) / (num_trials - num_folds) * of_mean, rounding)
    if num_folds > 1:
        between = np.maximum(fold_means.var(axis=-1, ddof=1) / num_folds, rounding)
    recording, both, num_recordings = _over_recordings(folds, of_mean, none)
    mean = fold_means.mean(axis=-1)
    numbers = (num_trials, num_folds, num_recordings)
    return VarianceComponents(mean, recording, seed, both, between, *numbers)


def _over_recordings(
    folds: Sequence[FoldDifferences], of_mean: float, none: Array
) -> tuple[Array, Array, int]:
    """Return the components of recordings, and of recordings with seeds, and how many there are."""
    known = [fold.influences for fold in folds if fold.influences is not None]
    if len(known) < len(folds):
        return none, none, 0
    sizes = [influences.shape[-1] for influences in known]
    if min(sizes) < 2:
        raise ValueError(f"a fold needs at least two recordings, got {min(sizes)}")
    bessel = [size / (size - 1) for size in sizes]
    lasting = [
        factor * (influences.mean(axis=-2) ** 2).sum(axis=-1)
        for factor, influences in zip(bessel, known, strict=True)
    ]
    recording = np.sum(lasting, axis=0) / len(folds) ** 2
    df = sum(influences.shape[-2] - 1 for influences in known)
    if not df:
        return recording, none, sum(sizes)
    squares = [
        factor * _squares(influences, -2).sum(axis=-1)
        for factor, influences in zip(bessel, known, strict=True)
    ]
    return recording, np.sum(squares, axis=0) / df * of_mean, sum(sizes)


def _squares(values: Array, axis: int) -> Array:
    """Return the sum of squares around the mean along an axis."""
    return np.asarray(((values - values.mean(axis=axis, keepdims=True)) ** 2).sum(axis=axis))


def stacked(several: Sequence[VarianceComponents]) -> VarianceComponents:
    """Return the components of arms of the same layout as one value, arms last.

    Shape: A times () → (A,)
    """

    def together(name: str) -> Array:
        return np.stack([getattr(each, name) for each in several], axis=-1)

    return VarianceComponents(
        together("mean"),
        together("recording"),
        together("seed"),
        together("both"),
        together("fold"),
        *several[0].layout,
    )


def rarest_excluded(num_trainings: int, confidence: float = 0.95) -> float:
    """Return the share of trainings that may still go wrong when none of so many did.

    An arm that collapses in 5 % of its trainings looks equivalent in most studies of ten seeds.

    >>> round(rarest_excluded(10), 2), round(rarest_excluded(59), 2)
    (0.26, 0.05)
    """
    return float(1 - math.pow(1 - confidence, 1 / num_trainings))
