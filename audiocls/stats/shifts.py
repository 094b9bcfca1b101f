"""By how much samples must be shifted until both tests are significant.

The core of the power analysis: a normal sample is a mean, an sd and a shape, all three independent,
so shapes are drawn, sds are taken at equal steps of probability, and means are integrated.

Legend: N samples, n pairs, J patterns of signs, Q quantiles.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.tests import MAX_EXACT_PAIRS, random_signs, resamples_for, t_quantile

_NUM_SUMS = 2**20
"""Samples × patterns: the effect is known to two parts in a thousand, in 50 ms."""
MANY_PAIRS = 1_000
_MIN_SAMPLES, _MAX_SAMPLES, _NUM_QUANTILES = 32, 2_048, 32


def standard_error(num_pairs: int, ratio: float) -> float:
    """Return the corrected standard error of the mean, in sds; `ratio` is n_test/n_train."""
    return math.sqrt(1 / num_pairs + ratio)


@lru_cache(maxsize=512)
def shifts(num_pairs: int, ratio: float, level: float) -> NDArray[np.float64] | None:
    """Return by how much samples of mean 0 must be shifted until both tests reach `level`.

    `None` where the sign-flip test cannot. Shifts grow with the sd of a sample. Of many pairs both
    tests ask for the same, within 0.5 % of the effect, and the t test's shift is computed at once.

    Shape: → (N·Q,), of many pairs (Q,)
    """
    if num_pairs > MANY_PAIRS:
        return t_shifts(num_pairs, ratio, level)
    by_flips = _flip_shifts(num_pairs, level) if num_pairs > 1 else None
    if by_flips is None:
        return None
    by_t = _t_shift(num_pairs, ratio, level)
    return np.outer(np.maximum(by_flips, by_t), _sds(num_pairs)).ravel()


def t_shifts(num_pairs: int, ratio: float, level: float) -> NDArray[np.float64]:
    """Return the same for the t test alone. Shape: → (Q,)"""
    return _t_shift(num_pairs, ratio, level) * _sds(num_pairs)


def _t_shift(num_pairs: int, ratio: float, level: float) -> float:
    """Return the shift of the t test for samples of sd 1."""
    return t_quantile(1 - level / 2, num_pairs - 1) * standard_error(num_pairs, ratio)


def _sds(num_pairs: int) -> NDArray[np.float64]:
    """Return the sds of normal samples at equal steps of probability.

    Shape: → (Q,)
    """
    from scipy.special import gammaincinv

    df = num_pairs - 1
    quantiles = (np.arange(_NUM_QUANTILES) + 0.5) / _NUM_QUANTILES
    return np.sqrt(np.asarray(gammaincinv(df / 2, quantiles)) * 2 / df)


@lru_cache(maxsize=512)
def _flip_shifts(num_pairs: int, level: float) -> NDArray[np.float64] | None:
    """Return the shifts of the sign-flip test for samples of sd 1; `None` below its smallest p.

    A pattern's sum exceeds the sum of a shifted sample as long as the shift is below minus the
    mean of the differences that it flips (Hartigan, JASA 64, 1969): the test is significant from
    the largest but so many of these means on.

    Shape: → (N,)
    """
    is_exact = num_pairs <= MAX_EXACT_PAIRS
    num_patterns = 2**num_pairs if is_exact else resamples_for(level)
    # Every exact pattern has a mirror image, which is as extreme on the other side.
    num_ties = math.floor(level * (2 ** (num_pairs - 1) if is_exact else num_patterns + 1) + 1e-9)
    if num_ties < 1:
        return None
    num_samples = max(_MIN_SAMPLES, min(_MAX_SAMPLES, _NUM_SUMS // num_patterns))
    samples = _samples(num_samples, num_pairs)
    flipped = _every_subset(num_pairs) if is_exact else random_signs(num_pairs, 0, num_patterns) < 0
    reached = _means(samples, flipped)
    if is_exact:
        reached[:, 0] = math.inf  # Nothing flipped: the sample itself.
        num_above = num_ties
    else:
        reached = np.maximum(reached, _means(samples, ~flipped))
        num_above = num_ties - 1  # The +1 rule.
    return -np.partition(-reached, num_above, axis=1)[:, num_above]


def _samples(num: int, num_pairs: int) -> NDArray[np.float64]:
    """Return normal samples, each of mean 0 and sd 1. Shape: → (N, n)"""
    drawn = np.random.default_rng(0).normal(size=(num, num_pairs))
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    return np.asarray(centred / centred.std(axis=1, ddof=1, keepdims=True))


def _every_subset(num_pairs: int) -> NDArray[np.bool_]:
    """Return every subset of the pairs, the first of them empty. Shape: → (J, n)"""
    bits = np.arange(2**num_pairs)[:, None] >> np.arange(num_pairs)
    return np.asarray(bits % 2 == 1)


def _means(samples: NDArray[np.float64], flipped: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return minus the mean of the flipped differences.

    Shape: (N, n), (J, n) → (N, J)
    """
    counts = np.maximum(1, flipped.sum(axis=1))
    return np.asarray(-(samples @ flipped.T.astype(float)) / counts)
