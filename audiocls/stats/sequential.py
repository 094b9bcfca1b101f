"""Group-sequential testing: the level of each look at growing data, by alpha spending."""

import itertools
from collections.abc import Sequence

from audiocls.stats.tests import can_be_significant


def spending(alpha: float, sizes: Sequence[int], num_comparisons: int = 1) -> list[float]:
    """Return the level of each look at data of growing `sizes`; together they are at most `alpha`.

    Half of α is for the first look that could claim anything, at n₁ pairs (those before it cannot,
    whatever they see, and so spend nothing). What is spent by n pairs is α·(1 − n₁/2n): an
    alpha-spending function (Lan and DeMets, "Discrete sequential boundaries for clinical trials",
    Biometrika 70, 1983) that never ends, so that as many looks may follow as anyone likes. The
    levels are simply added up (the union bound): nothing is assumed of how looks depend on each
    other, which overlapping training sets make hard to say. Confidence sequences (Howard et al.,
    "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49,
    2021) need no looks, but bounds or independence that pairs of folds do not have.

    >>> [round(level, 4) for level in spending(0.05, [4, 10, 15, 20])]
    [0.025, 0.025, 0.0083, 0.0042]
    """
    able = [size for size in sizes if can_be_significant(size, num_comparisons, alpha / 2)]
    if not able:
        return [alpha / 2] * len(sizes)
    spent = [alpha * (1 - able[0] / (2 * size)) for size in able]
    levels = [after - before for before, after in itertools.pairwise([0.0, *spent])]
    return [alpha / 2] * (len(sizes) - len(able)) + levels


def next_look_size(size: int, num_folds: int) -> int:
    """Return the pairs of the next look: half as many seeds again, one at least, with all folds.

    A look at every seed would spread α so thin that it finds half as many effects of middle size.

    >>> next_look_size(15, num_folds=5), next_look_size(5, num_folds=5)
    (20, 10)
    """
    num_seeds = size // num_folds
    return (num_seeds + max(1, num_seeds // 2)) * num_folds
