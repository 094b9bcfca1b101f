"""Equal tuning budgets: the same candidates for every arm, chosen among by validation clips."""

from audiocls.run.tuning.candidates import candidates_of
from audiocls.run.tuning.choosing import choices_of, remembered
from audiocls.run.tuning.study import (
    TuningPlan,
    asking,
    restricted,
    tuned,
    tuning_plan,
    tuning_study,
)

__all__ = [
    "TuningPlan",
    "asking",
    "candidates_of",
    "choices_of",
    "remembered",
    "restricted",
    "tuned",
    "tuning_plan",
    "tuning_study",
]
