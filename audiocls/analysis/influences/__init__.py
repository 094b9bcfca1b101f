"""What each recording adds to a trial's metric, from the predictions that were saved of it.

A difference of two trials on the same clips has the differences of their influences: for a mean
over clips exactly, for other metrics because the jackknife is linear in the metric. The metrics
are those of `training/metrics.py`, without torch: of all clips they are the recorded numbers.

Of several metrics of one trial, let `prepared` read its arrays once.
"""

from audiocls.analysis.influences.metrics import (
    JACKKNIFED,
    MEANS,
    SINGLE_LABEL,
    Influences,
    computed_as,
    influences_of,
    score_range,
)
from audiocls.analysis.influences.predictions import Predictions, prepared

__all__ = [
    "JACKKNIFED",
    "MEANS",
    "SINGLE_LABEL",
    "Influences",
    "Predictions",
    "computed_as",
    "influences_of",
    "prepared",
    "score_range",
]
