"""What is read from a study's folder for its analysis: records, predictions, trials."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

from audiocls.analysis import Comparison, compare
from audiocls.analysis.clips import ClipComparison, compare_clips
from audiocls.analysis.comparability import incomparability
from audiocls.analysis.contrasts.cross_study import (
    MultiStudyReport,
    StudyRecords,
    compare_studies,
)
from audiocls.analysis.differences import InfluencesOf
from audiocls.analysis.next_step import NextStep, Surroundings, next_steps
from audiocls.analysis.pairing import RecordGrid, usable
from audiocls.analysis.ranking import Ranked, Ranking, in_order, settings_of
from audiocls.analysis.results import Failed
from audiocls.analysis.unfinished import SoFar, due_part, of_pairs_so_far, withheld
from audiocls.formatting import with_runs
from audiocls.search import Alike, Ended, Sweep, alike
from audiocls.store import Failure, Proposal, Record, Study, StudyFolder, is_same_question
from audiocls.studies.labels import labelled, labels_of
from audiocls.studies.predictions import read_influences, read_scored
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
    so_far: SoFar | None = None
    """What is known beyond the verdicts that are due, where trials have yet to end."""
    is_due: bool = True
    """Whether `comparison` has verdicts, of the whole study or of its looks so far."""

    @property
    def is_comparable(self) -> bool:
        """Whether at least one arm could be compared with the baseline, or there is none."""
        verdicts = [arm.verdict for arm in self.comparison.arms if arm.verdict != "baseline"]
        return not verdicts or any(v not in ("not_comparable", "not_due") for v in verdicts)

    def failures(self) -> list[Failed]:
        """Return the trials whose last attempt failed, and why."""
        failed = self.failed
        cells = (cell for cell in self.study.cells if cell.id in failed)
        return [(cell, failed[cell.id].cause, failed[cell.id].message) for cell in cells]

    def next_steps(self) -> tuple[NextStep, ...]:
        """Return what would decide what is open."""
        if self.so_far is not None:
            return ()  # what runs may decide it
        around = surroundings_of(self.folder, self.launched)
        return next_steps(self.comparison, self.study, around, self.failures())


def load_report(folder: StudyFolder, study: Study | None = None) -> StudyReport:
    """Return everything recorded so far, read once and judged, with arms by their labels.

    `study` replaces the stored one: its arms keep their names, and its trials are compared whether
    or not verdicts are due, which is for what decides by a rule of its own.
    """
    launched = study or folder.study_with_arms()
    records = folder.records(launched.cells)
    failed = folder.failures([cell for cell in launched.cells if cell.id not in records])
    ended = records.keys() | failed.keys()
    unfinished = frozenset() if study else awaited(launched, ended)
    known = Known(records, failed, partial(read_influences, folder, records=records))
    return judged(folder, launched, known, unfinished, {} if study else labels_of(launched))


def awaited(study: Study, ended: Set[str]) -> frozenset[str]:
    """Return the ids of trials that verdicts wait for; one that has failed has ended, too.

    Nothing is awaited of results that were imported: no launch of theirs is known here.
    """
    cells = () if study.kind == "import" else study.cells
    return frozenset(cell.id for cell in cells if cell.id not in ended)


@dataclass(frozen=True)
class Known:
    """What is recorded of a study's trials, by trial id."""

    records: Mapping[str, Record]
    failed: Mapping[str, Failure]
    influences: Callable[[Study], Mapping[str, InfluencesOf]]
    """What recordings add to the metrics of a study, of all its records."""


def judged(
    folder: StudyFolder,
    launched: Study,
    known: Known,
    unfinished: Set[str],
    labels: Mapping[str, str],
) -> StudyReport:
    """Return the study with the verdicts that are due, and with what may be shown of the rest."""
    study = labelled(launched, labels)
    due = due_part(study, unfinished) if unfinished else study
    so_far = _so_far(study, known, due) if unfinished else None
    part = due or study
    ids = {cell.id for cell in part.cells}
    records = {id_: each for id_, each in known.records.items() if id_ in ids}
    failed = {id_: each for id_, each in known.failed.items() if id_ in ids}
    if due is None:
        assert so_far is not None, "without unfinished trials all verdicts are due"
        comparison = so_far.comparison
        return StudyReport(folder, part, records, failed, comparison, launched, so_far, False)
    causes = {id_: f"failed: {failure.cause}" for id_, failure in failed.items()}
    comparison = compare(due, records, causes, known.influences(due))
    if len(due.looks) < len(study.looks):
        number = len(due.looks)
        note = f"As decided by look {number}; look {number + 1} is under way."
        comparison = replace(comparison, notes=(note, *comparison.notes))
    return StudyReport(folder, due, records, failed, comparison, launched, so_far)


def _so_far(study: Study, known: Known, due: Study | None) -> SoFar:
    part = of_pairs_so_far(study)
    comparison = compare(part, known.records, influences=known.influences(part))
    planned = Counter(cell.arm for cell in study.cells)
    next_look = study.looks[len(due.looks) if due else 0] if study.looks else 0
    return SoFar(withheld(comparison), planned, next_look)


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
    known, labels = [], labels_of(folders[0].study())
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


def surroundings_of(folder: StudyFolder, study: Study) -> Surroundings:
    """Return what a next study must know of where this one lies."""
    later = _later(folder, study)
    names = [study.name, *(each.name for each in later)]
    seeds = [seed for each in (study, *later) for seed in each.seeds]
    return Surroundings(
        name=_next_name(folder, names[-1]),
        first_seed=max(seeds, default=-1) + 1,
        options=with_runs("", folder.path.parent),
        launch_options=study.request.options_text() if study.request else "",
        later_study=later[-1].name if later else "",
    )


def _later(folder: StudyFolder, study: Study) -> list[Study]:
    """Return the studies `NAME-2`, `NAME-3` … beside this one that ask the same question."""
    later: list[Study] = []
    name = study.name
    while True:
        name = _numbered(name)
        beside = StudyFolder(folder.path.with_name(name))
        if not beside.exists():
            return later
        other = beside.study()
        if other.kind == study.kind and is_same_question(study, other):
            later.append(other)


def _next_name(folder: StudyFolder, name: str) -> str:
    """Return the next name that no folder has."""
    stem, number = _parts(name)
    names = (f"{stem}-{each}" for each in count(number + 1))
    return next(each for each in names if not folder.path.with_name(each).exists())


def _numbered(name: str) -> str:
    stem, number = _parts(name)
    return f"{stem}-{number + 1}"


def _parts(name: str) -> tuple[str, int]:
    """Return a name and its number.

    >>> _parts("dropout"), _parts("dropout-2")
    (('dropout', 1), ('dropout', 2))
    """
    match = re.fullmatch(r"(.+)-(\d+)", name)
    return (match[1], int(match[2])) if match else (name, 1)
