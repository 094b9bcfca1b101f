"""Power analysis: minimum detectable effects under the rule that gives verdicts.

A claim needs the corrected t test and the sign-flip test after Holm's correction; the effect that
a plain t test alone detects (`detectable_effect`) is too small. Effects are in sds of the
differences as a study shows them, among its own pairs. Throughout, `test_train_ratio` is
n_test/n_train of the corrected variance (0 without overlap), `num_comparisons` is the size of the
family, and `power` and `alpha` are in (0, 1).

Legend: N samples, n pairs, Q quantiles.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.shifts import shifts, standard_error, t_shifts
from audiocls.stats.tests import t_quantile

MAX_PAIRS = 100
"""Of a comparison, where pairs are suggested."""


def minimum_detectable_effect(
    num_pairs: int,
    test_train_ratio: float = 0.0,
    num_comparisons: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float | None:
    """Return the smallest effect that becomes a verdict with that power; `None` where none could.

    Holm's worst case is assumed, that no other arm differs: the larger p must reach α/m.

    The differences are those of Nadeau and Bengio (Machine Learning 52, 2003): normal, and with
    the correlation n_test/(n_test + n_train) where folds overlap, which a study cannot see. Both
    tests shift with the data. So each sample has a least effect from which on it is significant
    (`shifts`), and the power at an effect is the share of samples that need no more.
    """
    least = shifts(num_pairs, test_train_ratio, alpha / max(1, num_comparisons))
    if least is None:
        return None
    error = standard_error(num_pairs, test_train_ratio)
    highest = float(least.max()) + 10 * error
    return root(lambda effect: _share(effect, least, error) - power, highest)


def power_of_rule(
    effect: float,
    num_pairs: int,
    test_train_ratio: float = 0.0,
    num_comparisons: int = 1,
    alpha: float = 0.05,
) -> float:
    """Return the share of studies in which an effect of so many sds becomes the right verdict."""
    least = shifts(num_pairs, test_train_ratio, alpha / max(1, num_comparisons))
    error = standard_error(num_pairs, test_train_ratio)
    return 0.0 if least is None else _share(effect, least, error)


def pairs_for(
    effect: float,
    test_train_ratio: float = 0.0,
    num_comparisons: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> int | None:
    """Return the fewest pairs that detect an effect of so many sds; `None` for more than 100."""
    level = alpha / max(1, num_comparisons)

    def by_t(num: int) -> float:
        """Return the power of the t test: an upper bound on that of the rule, and quick."""
        least = t_shifts(num, test_train_ratio, level)
        return _share(effect, least, standard_error(num, test_train_ratio))

    def by_rule(num: int) -> float:
        return power_of_rule(effect, num, test_train_ratio, num_comparisons, alpha)

    counts = range(2, MAX_PAIRS + 1)
    return next((num for num in counts if by_t(num) >= power and by_rule(num) >= power), None)


def limit_of_seeds(
    test_train_ratio: float, num_comparisons: int = 1, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Return the effect, in sds, that no number of seeds detects, since folds go on overlapping."""
    from scipy.special import ndtri

    quantiles = ndtri(1 - alpha / 2 / max(1, num_comparisons)) + ndtri(power)
    return math.sqrt(test_train_ratio) * float(quantiles)


def _share(effect: float, least: NDArray[np.float64], error: float) -> float:
    """Return the share of samples whose mean at this effect exceeds the least shift they need.

    The mean is independent of the samples' shapes, so it is integrated and not drawn.
    """
    from scipy.special import ndtr

    return float(np.mean(ndtr((effect - least) / error)))


def detectable_effect(num_pairs: int, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Return the smallest effect that a paired t test detects, in sds of the differences.

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
    """Return where a rising function passes zero between 0 and `high`, by bisection.

    `scipy.optimize` takes a third of a second to import.
    """
    low = 0.0
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return high


@dataclass(frozen=True)
class Allocation:
    """So many seeds on each of so many test folds."""

    num_seeds: int
    num_folds: int

    @property
    def num_pairs(self) -> int:
        """Pairs of each comparison."""
        return self.num_seeds * self.num_folds


def cheapest(
    effect: float,
    fold_counts: Sequence[int],
    test_train_ratio: float,
    num_comparisons: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> Allocation | None:
    """Return the fewest pairs that detect an effect of so many sds, over one of these fold counts.

    Among equals the one with most folds, which says something about most clips. `None` where more
    than 100 pairs would be needed, or where no number is enough: with overlapping folds the
    variance of the mean stays above `test_train_ratio` times that of a difference.
    """
    ratios = {num: test_train_ratio if num > 1 else 0.0 for num in fold_counts}
    needed = {
        ratio: pairs_for(effect, ratio, num_comparisons, power, alpha)
        for ratio in set(ratios.values())
    }
    allocations = [
        Allocation(math.ceil(num_pairs / num_folds), num_folds)
        for num_folds, ratio in ratios.items()
        if (num_pairs := needed[ratio]) is not None
    ]
    affordable = [each for each in allocations if each.num_pairs <= MAX_PAIRS]
    return min(affordable, key=lambda each: (each.num_pairs, -each.num_folds), default=None)
