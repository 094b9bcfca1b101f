"""The error of a study that is looked at after every seed, and when to give an arm up.

Legend: A arms of one family.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.components import VarianceComponents
from audiocls.stats.two_units import (
    Uncertainty,
    half_width,
    lasting_variance,
    shared_errors,
    uncertainties,
)

Array = NDArray[np.float64]

EFFECT_VARIANCE = 0.5
"""Of the effects that are expected, in variances of a trial's difference; where it is sharpest."""
FOLDS_SHARE = 0.5
"""Of α, for an error whose lasting part is known from folds alone. It is one draw, but its few
folds are measured anew at every look, with other trainings: at all of α, equal arms that are lucky
with folds are claimed to differ in up to 8 % of studies; at half of it in up to 5 %, or up to 7 %
with 3 folds."""
FUTILITY_CONFIDENCE = 0.9
NUM_HALVINGS = 32
SMALLEST_LOG = -20.0
"""Of p, to base 10: smaller ones are not told apart."""


def anytime_quantile(num_trials: int, num_folds: int, alpha: float | Array) -> Array:
    """Return the |t| that the mean of trainings exceeds, at any look, in `alpha` of all studies.

    It stands where a fixed number of trainings has a quantile of Student's t. It is where the
    likelihood ratio of t, with normal effects of variance g over none, with a mean for each fold
    and one unknown variance, reaches 1/α: with n differences and ν = n − K,

        E = (1 + n·g)^(−1/2) · ((1 + t²/ν) / (1 + t²/(ν·(1 + n·g))))^((ν + 1)/2),

    which is 1 on average without an effect, whatever the variance and whenever one stops, for
    whoever sees the values of t alone (Lindon et al., "Anytime-valid linear models", arXiv
    2210.08589; Wang and Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian
    means with unknown variance", arXiv 2310.03722). By Ville's inequality it exceeds 1/α in a
    share of at most α of all studies, ever. It is exact for normal differences. Infinite while no
    t reaches it, as after one seed.

    >>> anytime_quantile(10, 1, 0.05).round(2), anytime_quantile(2, 1, 0.05)
    (np.float64(4.08), array(inf))

    Shape: that of `alpha`
    """
    df, shrunk = num_trials - num_folds, 1 + num_trials * EFFECT_VARIANCE
    if df < 1:
        return np.full(np.shape(alpha), np.inf)
    ratio = (shrunk / np.square(alpha)) ** (1 / (df + 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.where(ratio < shrunk, df * (ratio - 1) / (1 - ratio / shrunk), np.inf)
    return np.asarray(np.sqrt(squared))


@dataclass(frozen=True, eq=False)
class AnytimeErrors:
    """Errors that hold at this look and all others together.

    More seeds never bring new recordings. So the error of the recordings is one draw, which no
    number of looks makes larger, and has an ordinary quantile; that of the trainings changes with
    every seed, and has the quantile of the e-process. Half widths add up by their squares, since
    both errors must be large at once to exceed them.
    """

    lasting: Array
    """Variance, (..., A)."""
    df_lasting: int | Array
    trainings: Array
    """Variance, (..., A)."""
    num_trials: int
    num_folds: int
    share: float = 1.0
    """Of α, that this error is given."""

    def half_width(self, alpha: float | Array) -> Array:
        """Return half the width of the 1 − `alpha` interval; each arm may have its own α."""
        from scipy.special import stdtrit

        level = self.share * np.asarray(alpha)
        fixed = stdtrit(np.maximum(1, self.df_lasting), 1 - level / 2)
        growing = anytime_quantile(self.num_trials, self.num_folds, level)
        with np.errstate(invalid="ignore"):  # an endless quantile of no variance
            squares = fixed**2 * self.lasting + growing**2 * self.trainings
        return np.where(np.isinf(growing), np.inf, np.sqrt(squares))

    def p(self, distance: Array) -> Array:
        """Return the smallest α whose interval around a distance excludes 0, by bisection."""
        low, high = np.full(distance.shape, SMALLEST_LOG), np.zeros(distance.shape)
        for _ in range(NUM_HALVINGS):
            middle = (low + high) / 2
            is_excluded = np.abs(distance) > self.half_width(10**middle)
            low, high = np.where(is_excluded, low, middle), np.where(is_excluded, middle, high)
        return np.asarray(10**high)


def anytime_errors(
    components: VarianceComponents, test_train_ratio: float
) -> tuple[Uncertainty, ...]:
    """Return the errors of a study that is looked at after every seed.

    The first is over trainings and recordings, the second over trainings and folds, since luck
    with a whole fold is seen by no recording of it and yet is one draw, beside trainings that
    change. Those of a study of a fixed size must be exceeded too, so that looking never makes a
    claim easier.
    """
    trainings = np.maximum(components.seed, components.both)
    sizes = (components.num_trials, components.num_folds)
    lasting = lasting_variance(components, test_train_ratio)
    fixed = uncertainties(components, test_train_ratio)
    has_folds = components.num_folds > 1
    if not components.num_recordings:
        share = FOLDS_SHARE if has_folds else 1.0
        return AnytimeErrors(lasting, components.num_folds - 1, trainings, *sizes, share), *fixed
    units = AnytimeErrors(lasting, components.df_recordings, trainings, *sizes)
    if not has_folds:
        return units, *fixed
    luck = shared_errors(components, np.maximum(components.fold - components.seed, 0.0))
    folds = AnytimeErrors(luck.error**2, luck.df, trainings, *sizes, FOLDS_SHARE)
    return units, folds, *fixed


def is_futile(
    components: VarianceComponents, test_train_ratio: float, wanted: float
) -> NDArray[np.bool_]:
    """Whether an effect as large as `wanted`, in units of the metric, is out of sight by now.

    The ordinary 90 % interval lies within ±`wanted`. The stop is not binding: to go on all the same
    raises no error rate, since to stop only takes claims away.

    Shape: → (..., A)
    """
    half = half_width(uncertainties(components, test_train_ratio), 1 - FUTILITY_CONFIDENCE)
    return np.asarray(np.abs(components.mean) + half < wanted)
