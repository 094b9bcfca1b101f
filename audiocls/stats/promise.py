"""The effect that a study can promise to see: power of the rule that gives verdicts, not of a test.

A claim needs the corrected t test and the sign-flip test after Holm's correction; what a plain t
test alone would see (`detectable_effect`) promises too much. Effects are in sds of the differences
as a study shows them, among its own pairs.

Legend: N samples, n pairs, J patterns of signs, Q quantiles.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.power import root
from audiocls.stats.sign_flip import MAX_EXACT_PAIRS, random_signs, resamples_for
from audiocls.stats.t_test import t_quantile

MAX_PAIRS = 100
"""Of a comparison, where pairs are suggested."""
_NUM_SUMS = 2**20
"""Samples × patterns: the effect is known to two parts in a thousand, in 50 ms."""
_MIN_SAMPLES, _MAX_SAMPLES, _NUM_QUANTILES = 32, 2_048, 32


def minimum_detectable_effect(
    num_pairs: int,
    test_train_ratio: float = 0.0,
    num_comparisons: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float | None:
    """Smallest effect that becomes a verdict with that power; `None` where none could.

    Holm's worst case is assumed, that no other arm differs: the larger p must reach α/m.

    The differences are those of Nadeau and Bengio (Machine Learning 52, 2003): normal, and with
    the correlation n_test/(n_test + n_train) where folds overlap, which a study cannot see. Both
    tests shift with the data. So each sample has a least effect from which on it is significant
    (`_shifts`), and the power at an effect is the share of samples that need no more.
    """
    shifts = _shifts(num_pairs, test_train_ratio, alpha / max(1, num_comparisons))
    if shifts is None:
        return None
    error = _error(num_pairs, test_train_ratio)
    highest = float(shifts.max()) + 10 * error
    return root(lambda effect: _share(effect, shifts, error) - power, highest)


def power_of_rule(
    effect: float,
    num_pairs: int,
    test_train_ratio: float = 0.0,
    num_comparisons: int = 1,
    alpha: float = 0.05,
) -> float:
    """Share of studies in which an effect of so many sds becomes the right verdict."""
    shifts = _shifts(num_pairs, test_train_ratio, alpha / max(1, num_comparisons))
    return 0.0 if shifts is None else _share(effect, shifts, _error(num_pairs, test_train_ratio))


def pairs_for(
    effect: float,
    test_train_ratio: float = 0.0,
    num_comparisons: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> int | None:
    """Fewest pairs that promise an effect of so many sds; `None` where that takes over 100."""
    level = alpha / max(1, num_comparisons)

    def by_t(num: int) -> float:
        """What no rule that contains the t test exceeds, and known in no time."""
        shifts = _t_shift(num, test_train_ratio, level) * _sds(num)
        return _share(effect, shifts, _error(num, test_train_ratio))

    def by_rule(num: int) -> float:
        return power_of_rule(effect, num, test_train_ratio, num_comparisons, alpha)

    counts = range(2, MAX_PAIRS + 1)
    return next((num for num in counts if by_t(num) >= power and by_rule(num) >= power), None)


def limit_of_seeds(
    test_train_ratio: float, num_comparisons: int = 1, power: float = 0.8, alpha: float = 0.05
) -> float:
    """The effect below which no number of seeds can promise anything: folds go on overlapping."""
    from scipy.special import ndtri

    quantiles = ndtri(1 - alpha / 2 / max(1, num_comparisons)) + ndtri(power)
    return math.sqrt(test_train_ratio) * float(quantiles)


def _error(num_pairs: int, ratio: float) -> float:
    return math.sqrt(1 / num_pairs + ratio)


def _share(effect: float, shifts: NDArray[np.float64], error: float) -> float:
    """The mean is independent of the samples' shapes, so it is integrated and not drawn."""
    from scipy.special import ndtr

    return float(np.mean(ndtr((effect - shifts) / error)))


@lru_cache(maxsize=512)
def _shifts(num_pairs: int, ratio: float, level: float) -> NDArray[np.float64] | None:
    """By how much samples of mean 0 must be shifted until both tests reach `level`.

    A normal sample is a mean, an sd and a shape, all three independent; shifts grow with the sd.

    Shape: → (N·Q,)
    """
    by_flips = _flip_shifts(num_pairs, level) if num_pairs > 1 else None
    if by_flips is None:
        return None
    by_t = _t_shift(num_pairs, ratio, level)
    return np.outer(np.maximum(by_flips, by_t), _sds(num_pairs)).ravel()


def _t_shift(num_pairs: int, ratio: float, level: float) -> float:
    """For the t test, and samples of sd 1."""
    return t_quantile(1 - level / 2, num_pairs - 1) * _error(num_pairs, ratio)


def _sds(num_pairs: int) -> NDArray[np.float64]:
    """What the sd of a sample may be, at equal steps of probability.

    Shape: → (Q,)
    """
    from scipy.special import gammaincinv

    df = num_pairs - 1
    quantiles = (np.arange(_NUM_QUANTILES) + 0.5) / _NUM_QUANTILES
    return np.sqrt(np.asarray(gammaincinv(df / 2, quantiles)) * 2 / df)


@lru_cache(maxsize=512)
def _flip_shifts(num_pairs: int, level: float) -> NDArray[np.float64] | None:
    """The same for the sign-flip test and samples of sd 1; `None` below its smallest p.

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
    """Shape: → (N, n), each of mean 0 and sd 1"""
    drawn = np.random.default_rng(0).normal(size=(num, num_pairs))
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    return np.asarray(centred / centred.std(axis=1, ddof=1, keepdims=True))


def _every_subset(num_pairs: int) -> NDArray[np.bool_]:
    """Shape: → (J, n), the first of them empty"""
    bits = np.arange(2**num_pairs)[:, None] >> np.arange(num_pairs)
    return np.asarray(bits % 2 == 1)


def _means(samples: NDArray[np.float64], flipped: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Minus the mean of the flipped differences.

    Shape: (N, n), (J, n) → (N, J)
    """
    counts = np.maximum(1, flipped.sum(axis=1))
    return np.asarray(-(samples @ flipped.T.astype(float)) / counts)
