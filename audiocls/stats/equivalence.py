"""Whether an arm is as good as its reference, up to a margin.

Legend: A arms of one family.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.components import VarianceComponents
from audiocls.stats.two_units import Uncertainty

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
