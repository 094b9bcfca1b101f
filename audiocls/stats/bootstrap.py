"""The bootstrap of a rate whose clips come in recordings.

Legend: S recordings, R resamples.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 10_000
_AT_ONCE = 500_000
"""Draws held in memory; small enough for a processor's cache."""

Numbers = NDArray[np.float64]


def bootstrap_interval(
    sums: NDArray[np.int64], counts: NDArray[np.int64], alpha: float = 0.05, seed: int = 0
) -> tuple[float, float] | None:
    """Interval of Σ sums / Σ counts under resampling of whole recordings, clips and all.

    Bias-corrected and accelerated (B. Efron, "Better bootstrap confidence intervals", J. American
    Statistical Association 82, 1987), 10,000 seeded resamples. Clips of one recording are alike,
    so resampling clips would take them for more evidence than they are. One recording says
    nothing of others: no interval.

    Shape: sums and counts (S,), what each recording adds to the rate's two parts
    """
    if len(sums) < 2:
        return None
    rate = sums.sum() / counts.sum()
    drawn = _resampled(sums.astype(float), counts.astype(float), seed)
    if drawn.min() == drawn.max():
        return rate, rate
    low, high = np.quantile(drawn, _shares(drawn, rate, _acceleration(sums, counts), alpha))
    return float(low), float(high)


def _resampled(sums: Numbers, counts: Numbers, seed: int) -> Numbers:
    """Shape: (S,), (S,) → (R,)"""
    parts = np.stack([sums, counts], axis=1)
    times = _times_drawn(len(sums), seed)
    portion = max(1, _AT_ONCE // len(sums))
    portions = (times[i : i + portion] for i in range(0, len(times), portion))
    drawn = [each.astype(float) @ parts for each in portions]
    resampled_sums, resampled_counts = np.concatenate(drawn).T
    return np.asarray(resampled_sums / resampled_counts)


@lru_cache(maxsize=1)
def _times_drawn(num: int, seed: int) -> NDArray[np.uint8]:
    """How often each resample has each recording: the same for every arm of a study.

    A byte is enough: once is usual, and more than 255 times never happens.

    Shape: → (R, S)
    """
    rng = np.random.default_rng(seed)
    times = np.empty((NUM_RESAMPLES, num), np.uint8)
    portion = max(1, _AT_ONCE // num)
    for start in range(0, NUM_RESAMPLES, portion):
        rows = times[start : start + portion]
        chosen = rng.integers(0, num, rows.shape, dtype=np.int32)
        places = chosen + num * np.arange(len(rows), dtype=np.int32)[:, np.newaxis]
        rows[:] = np.bincount(places.ravel(), minlength=rows.size).reshape(rows.shape)
    return times


def _acceleration(sums: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    """How fast the standard error changes with the rate, by the jackknife over recordings."""
    without_one = (sums.sum() - sums) / (counts.sum() - counts)
    away = without_one.mean() - without_one
    spread = float((away**2).sum())
    return float((away**3).sum()) / (6 * spread**1.5) if spread else 0.0


def _shares(drawn: Numbers, rate: float, acceleration: float, alpha: float) -> list[float]:
    """Which quantiles of the resamples bound the interval; ties with the rate count half."""
    from scipy.special import ndtr, ndtri

    below = np.count_nonzero(drawn < rate) + np.count_nonzero(drawn == rate) / 2
    half = 1 / (2 * len(drawn))
    bias = float(ndtri(min(1 - half, max(half, below / len(drawn)))))

    def share(probability: float) -> float:
        moved = bias + float(ndtri(probability))
        return float(ndtr(bias + moved / (1 - acceleration * moved)))

    return [share(alpha / 2), share(1 - alpha / 2)]
