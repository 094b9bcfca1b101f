"""The tests behind a verdict, as functions from numbers to numbers.

Differences are arm − reference, one per pair, in units of the metric.
"""

from audiocls.stats.allocation import Allocation, cheapest
from audiocls.stats.bootstrap import bootstrap_interval
from audiocls.stats.holm import holm, max_p
from audiocls.stats.mcnemar import mcnemar_p
from audiocls.stats.power import (
    can_be_significant,
    detectable_effect,
    min_attainable_p,
    pairs_needed,
)
from audiocls.stats.promise import (
    MAX_PAIRS,
    limit_of_seeds,
    minimum_detectable_effect,
    pairs_for,
    power_of_rule,
)
from audiocls.stats.rank import rank_correlation
from audiocls.stats.sequential import next_look_size, spending
from audiocls.stats.sign_flip import MAX_EXACT_PAIRS, resamples_for, sign_flip_p
from audiocls.stats.t_test import TTest, corrected_t, tost_p
from audiocls.stats.variance import (
    Components,
    StdEstimate,
    binomial_error,
    components,
    pooled,
)

__all__ = [
    "MAX_EXACT_PAIRS",
    "MAX_PAIRS",
    "Allocation",
    "Components",
    "StdEstimate",
    "TTest",
    "binomial_error",
    "bootstrap_interval",
    "can_be_significant",
    "cheapest",
    "components",
    "corrected_t",
    "detectable_effect",
    "holm",
    "limit_of_seeds",
    "max_p",
    "mcnemar_p",
    "min_attainable_p",
    "minimum_detectable_effect",
    "next_look_size",
    "pairs_for",
    "pairs_needed",
    "pooled",
    "power_of_rule",
    "rank_correlation",
    "resamples_for",
    "sign_flip_p",
    "spending",
    "tost_p",
]
