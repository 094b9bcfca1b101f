"""The store: a folder per study, a folder per trial, every file written beside and renamed."""

from audiocls.store.content import Attempt
from audiocls.store.proposals import Proposal, SearchPlan
from audiocls.store.record import (
    Cause,
    Cell,
    Cost,
    Failure,
    Objective,
    Provenance,
    Record,
    Study,
)
from audiocls.store.request import Kind, Request
from audiocls.store.stored_file import Damaged
from audiocls.store.study import (
    StudyFolder,
    count_states,
    extended,
    folder_name,
    is_same_question,
    open_study,
)
from audiocls.store.trial import State, TrialFolder
from audiocls.store.tuning import Choice, Tuning, tuning_path

__all__ = [
    "Attempt",
    "Cause",
    "Cell",
    "Choice",
    "Cost",
    "Damaged",
    "Failure",
    "Kind",
    "Objective",
    "Proposal",
    "Provenance",
    "Record",
    "Request",
    "SearchPlan",
    "State",
    "Study",
    "StudyFolder",
    "TrialFolder",
    "Tuning",
    "count_states",
    "extended",
    "folder_name",
    "is_same_question",
    "open_study",
    "tuning_path",
]
