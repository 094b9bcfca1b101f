"""Evidence that may be looked at after every seed: an e-process for the mean of the trainings.

Legend: A arms, S seeds, K folds.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EFFECT_VARIANCE = 0.5
"""Of the effects that are expected, in variances of a trial's difference; where it is sharpest."""


def e_values(trials: Array, effect_variance: float = EFFECT_VARIANCE) -> Array:
    """Return the evidence after each seed that the mean over these folds is not 0.

    The likelihood ratio of t with normal effects of that variance g over none, with a mean for
    each fold and one unknown variance: with n = S·K differences and ν = K·(S − 1),

        E = (1 + n·g)^(−1/2) · ((1 + t²/ν) / (1 + t²/(ν·(1 + n·g))))^((ν + 1)/2),

    which is 1 on average without an effect, whatever the variance and whenever one stops, for
    whoever sees the values of t alone (Lindon et al., "Anytime-valid linear models", arXiv
    2210.08589; Wang and Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian
    means with unknown variance", arXiv 2310.03722).
    By Ville's inequality it exceeds 1/α in a share of at most α of all studies, ever. It is exact
    for normal differences. After one seed it is 1: no variance is known.

    Shape: (..., S, K) → (..., S)
    """
    num_seeds, num_folds = trials.shape[-2:]
    counts = np.arange(1, num_seeds + 1)
    means = np.cumsum(trials, axis=-2) / counts[:, np.newaxis]
    squares = np.cumsum(trials**2, axis=-2) - counts[:, np.newaxis] * means**2
    df = num_folds * (counts - 1)
    num = counts * num_folds
    with np.errstate(divide="ignore", invalid="ignore"):
        t2_by_df = num * means.mean(axis=-1) ** 2 / np.maximum(squares.sum(axis=-1), 0.0)
        shrunk = 1 + num * effect_variance
        logs = (df + 1) / 2 * (np.log1p(t2_by_df) - np.log1p(t2_by_df / shrunk))
    found = np.exp(np.nan_to_num(logs, nan=0.0, posinf=np.inf) - np.log(shrunk) / 2)
    return np.asarray(np.where(df > 0, found, 1.0))


def anytime_p(evidence: Array) -> Array:
    """Return a p after each seed that holds at any time: 1 over the most evidence so far.

    Such p may be corrected over arms as any other (Vovk and Wang, "E-values: Calibration,
    combination and applications", Annals of Statistics 49, 2021).

    >>> anytime_p(np.array([0.5, 4.0, 2.0]))
    array([1.  , 0.25, 0.25])

    Shape: (..., S) → (..., S)
    """
    return np.asarray(np.minimum(1.0, 1 / np.maximum.accumulate(evidence, axis=-1)))


def anytime_quantile(
    num_seeds: int, num_folds: int, alpha: float, effect_variance: float = EFFECT_VARIANCE
) -> float:
    """Return the |t| at which `e_values` reaches 1/`alpha`; infinite while no t does.

    It stands where a fixed number of trainings has a quantile of Student's t.

    >>> round(anytime_quantile(10, 1, 0.05), 2), anytime_quantile(2, 1, 0.05)
    (4.08, inf)
    """
    df = num_folds * (num_seeds - 1)
    shrunk = 1 + num_seeds * num_folds * effect_variance
    if df < 1 or (ratio := (shrunk / alpha**2) ** (1 / (df + 1))) >= shrunk:
        return math.inf
    return math.sqrt(df * (ratio - 1) / (1 - ratio / shrunk))
