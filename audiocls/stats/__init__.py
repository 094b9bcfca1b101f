"""The tests behind a verdict, as functions from numbers to numbers; numpy and scipy alone.

    tests           of paired differences, of equivalence, of answers; Holm's correction
    sequential      levels of the looks at a growing study
    bootstrap       intervals over recordings
    power, shifts   what so many pairs can detect; how many an effect takes
    variance, rank  components of noise; correlation of ranks

Differences are arm − reference, one per pair, in units of the metric.
"""

from audiocls.stats.bootstrap import accuracy_interval, bootstrap_interval
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
from audiocls.stats.tests import (
    MAX_EXACT_PAIRS,
    TTest,
    can_be_significant,
    corrected_t,
    holm,
    max_p,
    mcnemar_p,
    min_attainable_p,
    pairs_needed,
    resamples_for,
    sign_flip_p,
    tost_p,
)
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
