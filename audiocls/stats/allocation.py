"""How many seeds and folds to pay for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from audiocls.stats.promise import MAX_PAIRS, pairs_for


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
    """The fewest pairs that promise an effect of so many sds, over one of these numbers of folds.

    Among equals the one with most folds, which says something about most clips. `None` where more
    than 100 pairs would be needed, or where no number is enough: with overlapping folds the
    variance of the mean stays above `test_train_ratio` times that of a difference.
    """
    ratios = {num: test_train_ratio if num > 1 else 0.0 for num in fold_counts}
    needed = {
        ratio: pairs_for(effect, ratio, num_comparisons, power, alpha)
        for ratio in set(ratios.values())
    }
    found = [
        Allocation(math.ceil(num_pairs / num_folds), num_folds)
        for num_folds, ratio in ratios.items()
        if (num_pairs := needed[ratio]) is not None
    ]
    affordable = [each for each in found if each.num_pairs <= MAX_PAIRS]
    return min(affordable, key=lambda each: (each.num_pairs, -each.num_folds), default=None)
