"""What so many pairs can show, before anything is spent."""

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np

from audiocls.stats.t_test import t_quantile


def min_attainable_p(num_pairs: int) -> float:
    """What `sign_flip_p` gives when all pairs agree, 2/2^n: more consistent is not possible."""
    return min(1.0, 2.0 ** (1 - num_pairs))


def can_be_significant(num_pairs: int, num_comparisons: int, alpha: float) -> bool:
    """Whether the most consistent result could be significant after correction."""
    return min_attainable_p(num_pairs) * num_comparisons <= alpha


def pairs_needed(alpha: float, num_comparisons: int) -> int:
    """Fewest pairs with which any of that many comparisons can reach `alpha`."""
    counts: Iterable[int] = itertools.count(1)
    return next(num for num in counts if can_be_significant(num, num_comparisons, alpha))


def detectable_effect(num_pairs: int, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Smallest effect a paired t test sees with that power, in sds of the differences.

    `None` for fewer than two pairs: no effect is large enough to be seen in one. The power is an
    average of normal tails over the spread that the sd itself may show, since the non-central t of
    scipy, and so `TTestPower`, is NaN for large effects and few pairs.
    """
    if num_pairs < 2:
        return None
    from scipy.special import gammaincinv, ndtr

    df = num_pairs - 1
    critical = t_quantile(1 - alpha / 2, df)
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    thresholds = critical * np.sqrt(gammaincinv(df / 2, quantiles) * 2 / df)

    def surplus(effect: float) -> float:
        shift = effect * math.sqrt(num_pairs)
        return float(np.mean(ndtr(shift - thresholds) + ndtr(-shift - thresholds))) - power

    return root(surplus, 10 * critical)


def root(rising: Callable[[float], float], high: float) -> float:
    """Where a rising function passes zero between 0 and `high`, halved down to the last digits.

    `scipy.optimize` takes a third of a second to import.
    """
    low = 0.0
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return high
