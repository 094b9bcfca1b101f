"""Intervals of shares: over recordings by the bootstrap, and inside 0 to 1.

Clips of one recording are right or wrong together: resampling clips would take them for more
evidence than they are, and promise too narrow an interval. So whole recordings are drawn, clips and
all (the cluster bootstrap: Davison and Hinkley, "Bootstrap methods and their application", 1997,
section 3.8).

Legend: N clips, S recordings, R resamples.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

NUM_RESAMPLES, NUM_RESAMPLES_OF_ACCURACY = 10_000, 2_000
NORMAL_QUANTILE = 1.96
_AT_ONCE = 500_000
"""Draws held in memory; small enough for a processor's cache."""
_MULTIPLIED_AT_ONCE = 125_000
"""Draws in one product: from twice as many on BLAS wakes all its threads, which takes far longer
than the product, above all beside trials that train."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def bootstrap_interval(
    sums: Integers, counts: Integers, alpha: float = 0.05, seed: int = 0
) -> tuple[float, float] | None:
    """Return the interval of Σ sums / Σ counts at level 1 − `alpha`; one recording has none.

    Bias-corrected and accelerated, for differences, whose resamples are skewed (B. Efron, "Better
    bootstrap confidence intervals", J. American Statistical Association 82, 1987): 10,000 seeded
    resamples.

    Shape: sums and counts (S,), what each recording adds to the rate's two parts
    """
    if len(sums) < 2:
        return None
    rate = sums.sum() / counts.sum()
    rates = _resampled(sums, counts, seed, NUM_RESAMPLES)
    if rates.min() == rates.max():
        return rate, rate
    low, high = np.quantile(rates, _shares(rates, rate, _acceleration(sums, counts), alpha))
    return float(low), float(high)


def accuracy_interval(
    is_right: ArrayLike, sources: Sequence[str], alpha: float = 0.05, seed: int = 0
) -> tuple[float, float] | None:
    """Return the percentile interval of the mean of `is_right`; one recording has none.

    2,000 seeded resamples.

    Shape: is_right (N,), sources (N,), the recording of each clip

    >>> accuracy_interval([True, True, True, True], ["a", "b", "c", "d"])
    (1.0, 1.0)
    """
    names, source_of = np.unique(np.asarray(sources), return_inverse=True)
    if len(names) < 2:
        return None
    num_clips = np.bincount(source_of)
    num_right = np.bincount(source_of, weights=np.asarray(is_right, dtype=np.float64))
    rates = _resampled(num_right, num_clips, seed, NUM_RESAMPLES_OF_ACCURACY)
    low, high = np.quantile(rates, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)


def share_interval(share: float, half_width: float, num_units: int) -> tuple[float, float]:
    """Return an interval of a share that stays within 0 and 1, from half of that which may not.

    Wilson's interval (J. American Statistical Association 22, 1927), with the variance and the
    quantile that `half_width` holds. A share of 0 or 1 shows no variance; it has that of
    independent `num_units`, such as recordings; with none, all of 0 to 1 is possible.

    >>> tuple(round(bound, 2) for bound in share_interval(0.9, 0.3, 40))
    (0.41, 0.99)
    >>> tuple(round(bound, 2) for bound in share_interval(1.0, 0.0, 40))
    (0.91, 1.0)
    """
    binomial = share * (1 - share)
    if binomial > 0:
        excess = half_width**2 / binomial
    elif num_units:
        excess = NORMAL_QUANTILE**2 / num_units
    else:
        return 0.0, 1.0
    centre = share + excess / 2
    away = (excess * binomial + excess**2 / 4) ** 0.5
    low, high = ((centre + sign * away) / (1 + excess) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def _resampled(sums: Floats | Integers, counts: Integers, seed: int, num_resamples: int) -> Floats:
    """Return the rate in each resample. Shape: (S,), (S,) → (R,)"""
    parts = np.stack([sums.astype(float), counts.astype(float)], axis=1)
    draws = _num_draws(len(sums), seed, num_resamples)
    portion = max(1, _MULTIPLIED_AT_ONCE // len(sums))
    portions = (draws[i : i + portion] for i in range(0, len(draws), portion))
    resampled = [each.astype(float) @ parts for each in portions]
    resampled_sums, resampled_counts = np.concatenate(resampled).T
    return np.asarray(resampled_sums / resampled_counts)


@lru_cache(maxsize=1)
def _num_draws(num: int, seed: int, num_resamples: int) -> NDArray[np.uint8]:
    """Return how often each resample has each recording: the same for every arm of a study.

    A byte is enough: once is usual, and more than 255 times never happens.

    Shape: → (R, S)
    """
    rng = np.random.default_rng(seed)
    draws = np.empty((num_resamples, num), np.uint8)
    portion = max(1, _AT_ONCE // num)
    for start in range(0, num_resamples, portion):
        rows = draws[start : start + portion]
        chosen = rng.integers(0, num, rows.shape, dtype=np.int32)
        indices = chosen + num * np.arange(len(rows), dtype=np.int32)[:, np.newaxis]
        rows[:] = np.bincount(indices.ravel(), minlength=rows.size).reshape(rows.shape)
    return draws


def _acceleration(sums: Integers, counts: Integers) -> float:
    """Return how fast the standard error changes with the rate: jackknife over recordings."""
    without_one = (sums.sum() - sums) / (counts.sum() - counts)
    away = without_one.mean() - without_one
    spread = float((away**2).sum())
    return float((away**3).sum()) / (6 * spread**1.5) if spread else 0.0


def _shares(rates: Floats, rate: float, acceleration: float, alpha: float) -> list[float]:
    """Return which quantiles of the resamples bound the interval; ties with the rate count half."""
    from scipy.special import ndtr, ndtri

    below = np.count_nonzero(rates < rate) + np.count_nonzero(rates == rate) / 2
    half = 1 / (2 * len(rates))
    bias = float(ndtri(min(1 - half, max(half, below / len(rates)))))

    def share(probability: float) -> float:
        moved = bias + float(ndtri(probability))
        return float(ndtr(bias + moved / (1 - acceleration * moved)))

    return [share(alpha / 2), share(1 - alpha / 2)]
