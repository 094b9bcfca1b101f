"""How many seeds and folds to pay for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audiocls.report.stats.promise import promised_effect

MAX_PAIRS = 100


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
    fold_counts: Iterable[int],
    test_train_ratio: float,
    num_comparisons: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> Allocation | None:
    """The fewest pairs that promise an effect of so many sds, over one of these numbers of folds.

    Among equals the one with most folds, which says something about most clips. `None` where more
    than 100 pairs would be needed, or where no number is enough: with overlapping folds the
    variance of the mean stays above `test_train_ratio` times that of a difference.
    """
    found = [
        Allocation(num_seeds, num_folds)
        for num_folds in fold_counts
        if (
            num_seeds := _seeds_for(
                effect,
                num_folds,
                test_train_ratio if num_folds > 1 else 0.0,
                num_comparisons,
                power,
                alpha,
            )
        )
    ]
    return min(found, key=lambda each: (each.num_pairs, -each.num_folds), default=None)


def _seeds_for(
    effect: float, num_folds: int, ratio: float, num_comparisons: int, power: float, alpha: float
) -> int | None:
    """Bisected, since more pairs never see less."""
    counts: Sequence[int] = range(1, MAX_PAIRS // num_folds + 1)
    low, high = 0, len(counts)
    while low < high:
        middle = (low + high) // 2
        seen = promised_effect(counts[middle] * num_folds, ratio, num_comparisons, power, alpha)
        is_enough = seen is not None and seen <= effect
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return counts[low] if low < len(counts) else None
