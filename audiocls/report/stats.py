"""The tests behind a verdict, as functions from numbers to numbers; statistics.md specifies them.

Differences are arm − baseline, one per pair, in units of the metric.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MAX_EXACT_PAIRS = 16
NUM_RESAMPLES = 9_999


@dataclass(frozen=True)
class TTest:
    """A mean against zero. `sd` and the interval are infinite where one value leaves no spread."""

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
    """Two-sided t test whose variance knows that the training sets of folds overlap.

    The variance of the mean is var·(1/n + n_test/n_train) (Nadeau and Bengio, "Inference for the
    generalization error", Machine Learning 52, 2003), over all r·k pairs of r seeds × k folds as
    in Bouckaert and Frank (PAKDD 2004). A ratio of 0 is the plain paired t test, right for several
    seeds on one fold.

    Edges: one difference gives p = 1 and an endless interval; identical ones other than zero give
    p = 0 and an interval of one point (the sign-flip test then decides); all zero gives p = 1.
    """
    mean, error = _mean_and_error(differences, test_train_ratio)
    df = len(differences) - 1
    if df == 0:
        return TTest(mean, math.inf, 0.0, 1.0, -math.inf, math.inf, 0)
    t = _ratio(mean, error)
    half = error * _t_quantile(1 - alpha / 2, df)
    p = 2 * _t_tail(abs(t), df)
    sd = float(np.std(differences, ddof=1)) if error else 0.0
    return TTest(mean, sd, t, p, mean - half, mean + half, df)


def tost_p(differences: Sequence[float], test_train_ratio: float, margin: float) -> float:
    """P of two one-sided corrected t tests: a small one says −margin < effect < margin.

    Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987. One difference gives 1.
    """
    df = len(differences) - 1
    if df == 0:
        return 1.0
    mean, error = _mean_and_error(differences, test_train_ratio)
    return _t_tail(_ratio(margin - abs(mean), error), df)


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
def _t_tail(t: float, df: int) -> float:
    from scipy.special import stdtr

    return float(stdtr(df, -t))


@lru_cache(maxsize=256)
def _t_quantile(probability: float, df: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def sign_flip_p(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p of the mean under random signs: no distribution assumed, only symmetry.

    Exact over all 2^n patterns up to 16 pairs; beyond, 9,999 seeded ones and the +1 rule
    (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010). Equal to
    `scipy.stats.permutation_test(permutation_type="samples")`, but a hundred times faster, and
    the same for d and −d by Monte Carlo too.
    """
    values = np.asarray(differences, dtype=float)
    is_exact = len(values) <= MAX_EXACT_PAIRS
    sums = _all_sums(values) if is_exact else _signs(len(values), seed) @ values
    # Equal sums of decimals differ in their last bits; they are ties and must count as such.
    threshold = abs(values.sum()) - 1e-9 * np.abs(values).sum()
    num_extreme = int(np.count_nonzero(np.abs(sums) >= threshold))
    return num_extreme / len(sums) if is_exact else (num_extreme + 1) / (len(sums) + 1)


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums under every pattern of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


@lru_cache(maxsize=8)
def _signs(num: int, seed: int) -> NDArray[np.float64]:
    """Random patterns of signs, one a row; cached, since every arm of a study asks for the same."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], (NUM_RESAMPLES, num))


def holm(ps: Sequence[float]) -> list[float]:
    """P values adjusted for their number (Holm, Scandinavian J. Statistics 6, 1979), in order.

    The numbers of statsmodels' `multipletests`, which takes a second to import and runs the
    garbage collector at every call.
    """
    adjusted = [0.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted


def smallest_p(num_pairs: int) -> float:
    """What `sign_flip_p` gives when all pairs agree, 2/2^n: more consistent is not possible."""
    return min(1.0, 2.0 ** (1 - num_pairs))


def is_reachable(num_pairs: int, num_comparisons: int, alpha: float) -> bool:
    """Whether the most consistent result could be significant after correction."""
    return smallest_p(num_pairs) * num_comparisons <= alpha


def pairs_needed(alpha: float, num_comparisons: int) -> int:
    """Fewest pairs with which any of that many comparisons can reach `alpha`."""
    counts: Iterable[int] = itertools.count(1)
    return next(num for num in counts if is_reachable(num, num_comparisons, alpha))


def detectable_effect(num_pairs: int, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Smallest effect a paired t test sees with that power, in sds of the differences.

    `None` for fewer than two pairs: no effect is large enough to be seen in one. The power is an
    average of normal tails over the spread that the sd itself may show, since the non-central t of
    scipy, and so `TTestPower`, is NaN for large effects and few pairs.
    """
    if num_pairs < 2:
        return None
    from scipy.optimize import brentq
    from scipy.special import gammaincinv, ndtr

    df = num_pairs - 1
    critical = _t_quantile(1 - alpha / 2, df)
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    thresholds = critical * np.sqrt(gammaincinv(df / 2, quantiles) * 2 / df)

    def surplus(effect: float) -> float:
        shift = effect * math.sqrt(num_pairs)
        return float(np.mean(ndtr(shift - thresholds) + ndtr(-shift - thresholds))) - power

    return float(brentq(surplus, 0, 10 * critical))
