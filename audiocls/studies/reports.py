"""What is read from a study's folder for its analysis: records, predictions, trials."""

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audiocls.analysis import Comparison, compare
from audiocls.analysis.clips import ClipComparison, compare_clips
from audiocls.analysis.comparability import incomparability
from audiocls.analysis.contrasts.cross_study import (
    MultiStudyReport,
    StudyRecords,
    compare_studies,
)
from audiocls.analysis.next_step import NextStep, next_steps
from audiocls.analysis.pairing import RecordGrid, usable
from audiocls.analysis.ranking import Ranked, Ranking, in_order, settings_of
from audiocls.analysis.results import Failed
from audiocls.search import Alike, Ended, Sweep, alike
from audiocls.store import Failure, Proposal, Record, Study, StudyFolder
from audiocls.studies.labels import labelled
from audiocls.studies.predictions import read_influences, read_scored
from audiocls.studies.siblings import surroundings_of
from audiocls.studies.sources.search import tried_of
from audiocls.studies.status import sweep_of

MOST_TRIALS = 1000
"""Trials whose predictions a page reads by default: some seconds."""
CLOCK = re.compile(
    r"time|second|duration|elapsed|speed|throughput|per_s|/s$|(?:^|[/_])(?:eta|m?s)$"
)
"""Names of columns that differ from run to run whatever the parameters are."""


@dataclass(frozen=True)
class StudyReport:
    """A study, what is recorded of it, and what follows."""

    folder: StudyFolder
    study: Study
    records: dict[str, Record]
    failed: dict[str, Failure]
    comparison: Comparison
    launched: Study
    """As it is stored; `study` calls its arms by their labels."""

    @property
    def is_comparable(self) -> bool:
        """Whether at least one arm could be compared with the baseline, or there is none."""
        verdicts = [arm.verdict for arm in self.comparison.arms if arm.verdict != "baseline"]
        return not verdicts or any(verdict != "not_comparable" for verdict in verdicts)

    def failures(self) -> list[Failed]:
        """Return the trials whose last attempt failed, and why."""
        failed = self.failed
        cells = (cell for cell in self.study.cells if cell.id in failed)
        return [(cell, failed[cell.id].cause, failed[cell.id].message) for cell in cells]

    def next_steps(self) -> tuple[NextStep, ...]:
        """Return what would decide what is open."""
        around = surroundings_of(self.folder, self.launched)
        return next_steps(self.comparison, self.study, around, self.failures())


def load_report(folder: StudyFolder, study: Study | None = None) -> StudyReport:
    """Return everything recorded so far, read once and compared, with arms by their labels.

    `study` replaces the stored one; its arms keep their names.
    """
    launched = study or folder.study_with_arms()
    study = labelled(launched, launched.labels) if launched.labels and not study else launched
    records = folder.records(study.cells)
    failed = folder.failures([cell for cell in study.cells if cell.id not in records])
    causes = {trial_id: f"failed: {failure.cause}" for trial_id, failure in failed.items()}
    influences = read_influences(folder, study, records)
    comparison = compare(study, records, causes, influences)
    return StudyReport(folder, study, records, failed, comparison, launched)


def load_ranking(folder: StudyFolder) -> Ranking:
    """Return the trials of a launched sweep so far, the best first."""
    study = folder.study()
    sweep = sweep_of(folder, study)
    proposals = enumerate(folder.proposals(), start=1)
    trials = [_ranked(folder, sweep, *numbered) for numbered in proposals]
    ranked = settings_of(sweep, trials) if sweep.blocks else trials
    return in_order(study, sweep, ranked, _alike(folder, sweep, trials))


def _alike(folder: StudyFolder, sweep: Sweep, trials: Sequence[Ranked]) -> Alike | None:
    """Return the parameters that made no difference; histories are read only of equal values."""
    ended = [ranked for ranked in trials if ranked.value is not None]
    num_having = Counter(ranked.value for ranked in ended)

    def logged(ranked: Ranked) -> Hashable:
        is_tied = sweep.metric is not None and num_having[ranked.value] > 1
        return (ranked.value, _history(folder, ranked) if is_tied else ())

    return alike([Ended(ranked.parameters, logged(ranked)) for ranked in ended])


def _history(folder: StudyFolder, ranked: Ranked) -> tuple[Any, ...]:
    rows = folder.trial(ranked.proposal.id).history()
    return tuple(
        (name, row[name]) for row in rows for name in sorted(row) if not CLOCK.search(name)
    )


def _ranked(folder: StudyFolder, sweep: Sweep, number: int, proposal: Proposal) -> Ranked:
    tried, trial = tried_of(sweep, folder, proposal), folder.trial(proposal.id)
    record = trial.record()
    seconds = record.cost.wall_s if record else None
    # A search counts every trial without an end as running, although its launch may be stopped.
    state = trial.state() if tried.state == "running" else tried.state
    return Ranked(proposal, number, state, tried.value, seconds)


def load_studies(folders: Sequence[StudyFolder]) -> MultiStudyReport:
    """Return the first of the studies compared with each other one.

    A study keeps its own name, or has its path for one where another study has the same name. Arms
    have the labels of the first study.
    """
    names = [folder.name for folder in folders]
    known, labels = [], folders[0].study().labels
    for folder in folders:
        study = labelled(folder.study(), labels)
        name = folder.name if names.count(folder.name) == 1 else str(folder.path)
        records = folder.records(study.cells)
        influences = read_influences(folder, study, records)
        known.append(StudyRecords(replace(study, name=name), records, influences))
    return compare_studies(known)


def read_clips(folder: StudyFolder, study: Study, records: Mapping[str, Record]) -> ClipComparison:
    """Return the clip comparison of the trials in `records`.

    Trials without usable predictions are named: another program's, or imported ones, may have none.
    What forbids a verdict on an arm forbids this, too.
    """
    finished = usable(study, records)
    named = (folder.trial(trial_id).class_names() for trial_id in finished)
    labels = next((names for names in named if names), ())
    grid = RecordGrid(study, finished)
    reasons = {arm: incomparability(study, pairs) for arm, pairs in grid.pairs.items()}
    refused = {arm: reason for arm, reason in reasons.items() if reason}
    return compare_clips(study, finished, lambda id_: read_scored(folder, id_), labels, refused)
