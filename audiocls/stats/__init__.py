"""The tests behind a verdict, as functions from numbers to numbers; numpy and scipy alone.

    t_test, sign_flip   the two tests of paired differences, and equivalence (TOST)
    holm, sequential    the families: of comparisons, and of looks
    mcnemar, bootstrap  right and wrong answers that come in recordings
    power, shifts       what so many pairs can detect; how many an effect takes
    variance, rank      components of noise; correlation of ranks

Differences are arm − reference, one per pair, in units of the metric.
"""

from audiocls.stats.bootstrap import accuracy_interval, bootstrap_interval
from audiocls.stats.holm import holm, max_p
from audiocls.stats.mcnemar import mcnemar_p
from audiocls.stats.power import (
    MAX_PAIRS,
    Allocation,
    cheapest,
    detectable_effect,
    limit_of_seeds,
    minimum_detectable_effect,
    pairs_for,
    power_of_rule,
)
from audiocls.stats.rank import rank_correlation
from audiocls.stats.sequential import next_look_size, spending
from audiocls.stats.sign_flip import (
    MAX_EXACT_PAIRS,
    can_be_significant,
    min_attainable_p,
    pairs_needed,
    resamples_for,
    sign_flip_p,
)
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
    "accuracy_interval",
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
