"""The statistics behind a verdict, as functions from numbers to numbers; numpy and scipy alone.

    influence        what single recordings add to a metric; leave_one_out, ranked_clips: metrics
                     without each recording in turn
    components       the variance of a mean difference: of trainings, of recordings, of folds
    two_units        the errors by which a claim is judged; growing: of a study that is watched
    equivalence      whether a difference lies within a margin
    tests            Holm's correction; tests of paired answers
    intervals        of shares, over recordings
    planning         what so many seeds and folds can show
    variance, rank   components of noise; correlation of ranks

Differences are arm − reference, in units of the metric.
"""

from audiocls.stats.components import (
    FoldDifferences,
    VarianceComponents,
    components_of,
    rarest_excluded,
    stacked,
)
from audiocls.stats.growing import anytime_errors, is_futile
from audiocls.stats.influence import by_jackknife, of_mean
from audiocls.stats.intervals import accuracy_interval, bootstrap_interval, share_interval
from audiocls.stats.planning import (
    MAX_SEEDS,
    EvaluationProtocol,
    Spread,
    assumed_spread,
    detectable_effect,
    fewest_seeds,
    smallest_effect,
    spread_of,
    spread_of_pairs,
)
from audiocls.stats.rank import rank_correlation
from audiocls.stats.tests import equivalence_p, holm, mcnemar_p, with_one_won_and_one_lost
from audiocls.stats.two_units import Uncertainty, half_width, overlap_factor, p_value, uncertainties
from audiocls.stats.variance import (
    StdEstimate,
    binomial_error,
    components,
)

__all__ = [
    "MAX_SEEDS",
    "EvaluationProtocol",
    "FoldDifferences",
    "Spread",
    "StdEstimate",
    "Uncertainty",
    "VarianceComponents",
    "accuracy_interval",
    "anytime_errors",
    "assumed_spread",
    "binomial_error",
    "bootstrap_interval",
    "by_jackknife",
    "components",
    "components_of",
    "detectable_effect",
    "equivalence_p",
    "fewest_seeds",
    "half_width",
    "holm",
    "is_futile",
    "mcnemar_p",
    "of_mean",
    "overlap_factor",
    "p_value",
    "rank_correlation",
    "rarest_excluded",
    "share_interval",
    "smallest_effect",
    "spread_of",
    "spread_of_pairs",
    "stacked",
    "uncertainties",
    "with_one_won_and_one_lost",
]
