"""Whether two learners differ, over trainings and over recordings at once.

A study varies in two ways: train again and the numbers change, take other recordings and they
change as well. Both components of the variance are estimated (`components.py`) and added up. What
training sets have in common is not seen inside one study, so the component of recordings is
multiplied by a factor that knows how far they overlap. The rule, its rivals and their error rates:
docs/decisions/0004-two-units.md.

Legend: A arms of one family.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.components import VarianceComponents

Array = NDArray[np.float64]

OVERLAP_SHARE = 0.5
"""Share of Nadeau and Bengio's correction that is put on recordings; found by simulation."""
ENOUGH_DF = 9
"""Of an arm's own replicates, from which on it shares no estimate: t is within 15 % of its limit.
"""


class Uncertainty(Protocol):
    """How far a mean difference may be from the truth."""

    def half_width(self, alpha: float) -> Array:
        """Return half the width of the 1 − `alpha` interval around the mean. Shape: → (..., A)"""
        ...

    def p(self, distance: Array) -> Array:
        """Return the two-sided p of a distance from 0. Shape: (..., A) → (..., A)"""
        ...


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """Standard errors with their degrees of freedom; each of shape (..., A)."""

    error: Array
    df: Array

    def of_first_arm(self) -> "StandardErrors":
        """Return the errors of the first arm alone. Shape: (..., A) → (..., 1)"""
        return StandardErrors(self.error[..., :1], self.df[..., :1])

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


def lasting_variance(components: VarianceComponents, test_train_ratio: float) -> Array:
    """Return the part of the variance that no number of seeds makes smaller. Shape: → (..., A)

    What persists over seeds belongs to the data: to its recordings or, where predictions are
    missing, to its folds.
    """
    over_seeds, of_seeds = components.fold, components.seed
    if components.num_recordings:
        over_seeds, of_seeds = components.recording, components.both
    elif components.num_folds == 1:
        return np.zeros_like(components.mean)
    factor = overlap_factor(components.num_folds, test_train_ratio)
    return factor * np.maximum(over_seeds - of_seeds, 0.0)


def two_unit_errors(components: VarianceComponents, test_train_ratio: float) -> StandardErrors:
    """Return the error over trainings and recordings: their components add up.

    V = f·max(V_recording − V_both, 0) + max(V_seed, V_both): what persists over seeds is of the
    recordings and so of the data, f times (`overlap_factor`); the rest is of the trainings. Degrees
    of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946).

    Shape: → (..., A)
    """
    shifts = np.maximum(components.seed - components.both, 0.0)
    over_recordings = lasting_variance(components, test_train_ratio) + components.both
    df_seeds = max(1, components.df_seeds)
    total = over_recordings + shifts
    with np.errstate(invalid="ignore"):
        df = total**2 / (over_recordings**2 / components.df_recordings + shifts**2 / df_seeds)
    return StandardErrors(np.sqrt(total), np.nan_to_num(df, nan=float(components.df_recordings)))


def replicate_errors(components: VarianceComponents) -> StandardErrors:
    """Return the error by the study's largest units alone: folds, or seeds where there is one fold.

    Whatever befalls a whole fold (a lucky training set, a setting that was tuned on it) is seen
    by no recording of it, but by the other folds. Shape: → (..., A)
    """
    own = components.fold if components.num_folds > 1 else components.seed
    return shared_errors(components, own)


def crossed_errors(components: VarianceComponents, test_train_ratio: float) -> StandardErrors:
    """Return the error of trials whose predictions are missing: seeds crossed with folds.

    Seeds of one fold share their training and test clips, so only folds are replicates of the
    data: V = V_seed + f·max(V_fold − V_seed, 0), where what seeds do not explain counts f times
    (`overlap_factor`), for the training sets that folds share.

    One fold: the plain paired t test over seeds, which applies to these test clips alone.

    Shape: → (..., A)
    """
    return shared_errors(
        components, components.seed + lasting_variance(components, test_train_ratio)
    )


def shared_errors(components: VarianceComponents, own: Array) -> StandardErrors:
    """Return errors from a variance over few units, which arms of a family estimate together.

    Few folds give a poor estimate. So the variance is the larger of an arm's own and the mean over
    arms, with the degrees of freedom of the latter. g arms against one reference have
    g/(1 + (g − 1)/4) times those of one, since two differences correlate by 1/2 and their variances
    by 1/4. The larger of both needs no test for whether arms are alike: an arm that varies more
    than the others is judged by itself. Where an arm tells enough of its own noise, nothing is
    shared: an arm that varies less than the others would pay for them.
    """
    num_arms, df_own = own.shape[-1], _df_of_replicates(components)
    if df_own == 0:
        return StandardErrors(np.full(own.shape, math.inf), np.ones(own.shape))
    if df_own >= ENOUGH_DF:
        return StandardErrors(np.sqrt(own), np.full(own.shape, float(df_own)))
    df = df_own * num_arms / (1 + (num_arms - 1) / 4)
    shared = own.mean(axis=-1, keepdims=True)
    return StandardErrors(np.sqrt(np.maximum(own, shared)), np.full(own.shape, df))


def _df_of_replicates(components: VarianceComponents) -> int:
    """Return the degrees of freedom of one arm: folds − 1, or seeds − 1 on one fold."""
    return components.num_folds - 1 if components.num_folds > 1 else components.df_seeds


def uncertainties(
    components: VarianceComponents, test_train_ratio: float
) -> tuple[StandardErrors, ...]:
    """Return the errors of a study of a fixed size; a claim must hold by each of them."""
    if not components.num_recordings:
        return (crossed_errors(components, test_train_ratio),)
    return (two_unit_errors(components, test_train_ratio), replicate_errors(components))


def p_value(errors: tuple[Uncertainty, ...], distance: Array) -> Array:
    """Return the two-sided p, before correction, of a claim that needs all of these errors.

    The intersection–union test (Berger, Technometrics 24, 1982). Shape: (..., A) → (..., A)
    """
    return np.asarray(np.max([each.p(distance) for each in errors], axis=0))


def half_width(errors: tuple[Uncertainty, ...], alpha: float) -> Array:
    """Return half the width of the 1 − `alpha` interval that belongs to `p_value`.

    Shape: → (..., A)
    """
    return np.asarray(np.max([each.half_width(alpha) for each in errors], axis=0))
