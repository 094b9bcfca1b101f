"""Equal tuning budgets: the same candidates for every arm, chosen among by validation clips."""

from audiocls.studies.tuning.candidates import candidates_of
from audiocls.studies.tuning.choosing import choices_of, load_choices
from audiocls.studies.tuning.study import (
    TuningPlan,
    pending_trials,
    tuned,
    tuning_plan,
    tuning_study,
    with_candidates,
)

__all__ = [
    "TuningPlan",
    "candidates_of",
    "choices_of",
    "load_choices",
    "pending_trials",
    "tuned",
    "tuning_plan",
    "tuning_study",
    "with_candidates",
]
