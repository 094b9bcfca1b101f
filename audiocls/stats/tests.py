"""Tests of paired answers and of equivalence, and Holm's correction.

Legend: A arms of one family.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.components import VarianceComponents
from audiocls.stats.two_units import Uncertainty


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


Array = NDArray[np.float64]


def with_one_won_and_one_lost(
    components: VarianceComponents, num_units: int, score_range: float
) -> VarianceComponents:
    """Return the components with two more recordings, one of them won and one lost altogether.

    A few clips that agree say little (after Agresti and Min, Statistics in Medicine 24, 2005): 40
    recordings without a difference exclude 8 points but not 1. `num_units` are the recordings of
    all folds, or the test clips where recordings are unknown; `score_range` is what the score of
    one may change by: 1 for accuracy in shares, 0 for metrics without a range.
    """
    added = 2 * (score_range / num_units) ** 2 if num_units else 0.0
    return replace(components, recording=components.recording + added, fold=components.fold + added)


def equivalence_p(errors: tuple[Uncertainty, ...], mean: Array, margin: float) -> Array:
    """Return each arm's p that its effect is `margin` or more, before correction over arms.

    Two one-sided tests (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987), by each of
    these errors. Shape: (..., A) → (..., A)
    """
    room = margin - np.abs(mean)
    two_sided = np.max([each.p(room) for each in errors], axis=0)
    return np.asarray(np.where(room > 0, two_sided / 2, 1 - two_sided / 2))
