"""The tests behind a verdict, as functions from numbers to numbers.

Differences are arm − reference, one per pair, in units of the metric.
"""

from audiocls.report.stats.holm import holm
from audiocls.report.stats.power import (
    detectable_effect,
    is_reachable,
    pairs_needed,
    smallest_p,
)
from audiocls.report.stats.sign_flip import MAX_EXACT_PAIRS, sign_flip_p
from audiocls.report.stats.t_test import TTest, corrected_t, tost_p

__all__ = [
    "MAX_EXACT_PAIRS",
    "TTest",
    "corrected_t",
    "detectable_effect",
    "holm",
    "is_reachable",
    "pairs_needed",
    "sign_flip_p",
    "smallest_p",
    "tost_p",
]
