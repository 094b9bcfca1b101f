"""The t test with the corrected variance of overlapping folds, and equivalence by two of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class TTest:
    """Test of a mean against zero; `sd` and interval are infinite where one value has no spread."""

    mean: float
    sd: float
    t: float
    p: float
    ci_low: float
    ci_high: float
    df: int


def corrected_t(
    differences: Sequence[float], test_train_ratio: float, alpha: float = 0.05
) -> TTest:
    """Return the two-sided t test whose variance allows for the overlap of folds' training sets.

    The variance of the mean is var·(1/n + n_test/n_train) (Nadeau and Bengio, "Inference for the
    generalization error", Machine Learning 52, 2003), over all r·k pairs of r seeds × k folds as
    in Bouckaert and Frank (PAKDD 2004). A ratio of 0 is the plain paired t test, right for several
    seeds on one fold.

    `test_train_ratio` is n_test/n_train, 0 or more; `alpha` in (0, 1) is 1 − the interval's level.
    Raises `ValueError` for no difference at all.

    Edges: one difference gives p = 1 and an endless interval; identical ones other than zero give
    p = 0 and an interval of one point (the sign-flip test then decides); all zero gives p = 1.
    """
    mean, error = _mean_and_error(differences, test_train_ratio)
    df = len(differences) - 1
    if df == 0:
        return TTest(mean, math.inf, 0.0, 1.0, -math.inf, math.inf, 0)
    t = _ratio(mean, error)
    half = error * t_quantile(1 - alpha / 2, df)
    p = 2 * t_tail(abs(t), df)
    sd = float(np.std(differences, ddof=1)) if error else 0.0
    return TTest(mean, sd, t, p, mean - half, mean + half, df)


def tost_p(
    differences: Sequence[float], test_train_ratio: float, margin: float, step: float = 0.0
) -> float:
    """Return the p of two one-sided corrected t tests: a small one says −margin < effect < margin.

    TOST: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987. One difference gives 1.
    `step` is the smallest change that the metric can show, such as one test clip: rounding to it
    has a variance of step²/12 (Sheppard, Proc. London Math. Society 29, 1898), which no spread that
    was seen can fall below. Ten folds of ten clips that agree to the clip do not agree to a point.
    `margin` and `step` are in the unit of the differences. Raises `ValueError` for no difference.
    """
    df = len(differences) - 1
    if df == 0:
        return 1.0
    mean, error = _mean_and_error(differences, test_train_ratio)
    error = max(error, math.sqrt(step**2 / 12 * (1 / len(differences) + test_train_ratio)))
    return t_tail(_ratio(margin - abs(mean), error), df)


def _mean_and_error(values: Sequence[float], ratio: float) -> tuple[float, float]:
    num = len(values)
    if num == 0:
        raise ValueError("a test needs at least one difference, got none")
    if num == 1:
        return float(values[0]), math.inf
    if min(values) == max(values):  # `np.std` would leave rounding noise, and t a huge number
        return float(values[0]), 0.0
    error = math.sqrt(float(np.var(values, ddof=1)) * (1 / num + ratio))
    return float(np.mean(values)), error


def _ratio(numerator: float, error: float) -> float:
    if error == 0:
        return math.copysign(math.inf, numerator) if numerator else 0.0
    return numerator / error


# `scipy.special` has the t distribution without the half second that `scipy.stats` takes to load.
def t_tail(t: float, df: int) -> float:
    """Return the probability of more than `t`."""
    from scipy.special import stdtr

    return float(stdtr(df, -t))


@lru_cache(maxsize=256)
def t_quantile(probability: float, df: int) -> float:
    """Return the t below which that share of the distribution lies; `probability` in (0, 1)."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))
