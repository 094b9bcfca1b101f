"""Whether an arm is as good as its reference, up to a margin.

Legend: A arms of one family.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from parts import Parts
from two_units import replicate_errors, two_unit_errors

Array = NDArray[np.float64]


def equivalence_p(
    parts: Parts, test_train_ratio: float, margin: float, score_range: float = 1.0
) -> Array:
    """Return each arm's p that its effect is `margin` or more, before correction over arms.

    Two one-sided tests (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987) with both
    errors of `two_units`. A few clips that agree say little: the variance over recordings is that
    with two more recordings, one of them won and one lost altogether (after Agresti and Min,
    Statistics in Medicine 24, 2005), so that 40 recordings without a difference exclude 8 points
    but not 1. `score_range` is what a recording's score may change by: 1 for accuracy in shares.

    Shape: → (..., A)
    """
    added = 2 * (score_range / parts.num_recordings) ** 2
    careful = replace(parts, by_recording=parts.by_recording + added)
    room = margin - np.abs(parts.mean)
    errors = (two_unit_errors(careful, test_train_ratio), replicate_errors(parts))
    two_sided = np.maximum(*(error.p(room) for error in errors))
    return np.asarray(np.where(room > 0, two_sided / 2, 1 - two_sided / 2))


def rarest_excluded(num_trainings: int, confidence: float = 0.95) -> float:
    """Return the share of trainings that may still go wrong when none of so many did.

    An arm that collapses in 5 % of its trainings looks equivalent in most studies of ten seeds.

    >>> round(rarest_excluded(10), 2), round(rarest_excluded(59), 2)
    (0.26, 0.05)
    """
    return float(1 - (1 - confidence) ** (1 / num_trainings))
