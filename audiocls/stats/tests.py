"""Tests of paired answers, and Holm's correction."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def mcnemar_p(gains: Sequence[int] | NDArray[np.int64]) -> float:
    """Return the two-sided p of the sum, where each number might as well have the other sign.

    `gains` are answers gained − answers lost, one number for each that is independent of the
    others: a clip, or a recording with all its clips, which change sides together. Where every
    change is by one it is McNemar's test (Psychometrika 12, 1947) in its exact, binomial form;
    else the sign-flip test over all 2^n patterns, counted exactly for any n, since sums of whole
    numbers are few.
    """
    sizes = np.abs(np.asarray(gains, np.int64))
    chances = np.ones(1)  # of each total that random signs can give, from the smallest
    for size in sizes[sizes > 0]:
        longer = np.zeros(len(chances) + 2 * size)
        longer[: len(chances)] += chances / 2
        longer[2 * size :] += chances / 2
        chances = longer
    totals = np.arange(len(chances)) - len(chances) // 2
    observed = abs(int(np.sum(gains)))
    return min(1.0, float(chances[np.abs(totals) >= observed].sum()))


def holm(ps: Sequence[float]) -> list[float]:
    """Return the adjusted p values, in order (Holm, Scandinavian J. Statistics 6, 1979).

    The numbers of statsmodels' `multipletests`, which takes a second to import and runs the
    garbage collector at every call.
    """
    adjusted = [0.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted
