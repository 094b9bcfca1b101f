"""The tests behind a verdict, as functions from numbers to numbers.

Differences are arm − reference, one per pair, in units of the metric.
"""

from audiocls.report.stats.allocation import Allocation, cheapest
from audiocls.report.stats.bootstrap import bootstrap_interval
from audiocls.report.stats.components import (
    Components,
    Spread,
    binomial_error,
    components,
    pooled,
)
from audiocls.report.stats.holm import family_p, holm
from audiocls.report.stats.mcnemar import mcnemar_p
from audiocls.report.stats.power import (
    detectable_effect,
    is_reachable,
    pairs_needed,
    smallest_p,
)
from audiocls.report.stats.promise import (
    MAX_PAIRS,
    limit_of_seeds,
    pairs_for,
    promised_effect,
    promised_power,
)
from audiocls.report.stats.rank import rank_correlation
from audiocls.report.stats.sign_flip import MAX_EXACT_PAIRS, resamples_for, sign_flip_p
from audiocls.report.stats.spending import next_size, spending
from audiocls.report.stats.t_test import TTest, corrected_t, tost_p

__all__ = [
    "MAX_EXACT_PAIRS",
    "MAX_PAIRS",
    "Allocation",
    "Components",
    "Spread",
    "TTest",
    "binomial_error",
    "bootstrap_interval",
    "cheapest",
    "components",
    "corrected_t",
    "detectable_effect",
    "family_p",
    "holm",
    "is_reachable",
    "limit_of_seeds",
    "mcnemar_p",
    "next_size",
    "pairs_for",
    "pairs_needed",
    "pooled",
    "promised_effect",
    "promised_power",
    "rank_correlation",
    "resamples_for",
    "sign_flip_p",
    "smallest_p",
    "spending",
    "tost_p",
]
