"""`store_results`: the runs of any source become a study that a report can read.

Values that the source does not have stay unknown in the records.
"""

import hashlib
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from audiocls.analysis import compare
from audiocls.design import BASELINE
from audiocls.errors import UsageError
from audiocls.formatting import scale_of
from audiocls.importing.cells import (
    AssignedRun,
    CellKey,
    ImportOptions,
    assign_cells,
    changes_of,
    newest_runs,
)
from audiocls.importing.faults import arm_called, check_assigned, check_keys, metric_of
from audiocls.importing.records import history_of, metrics_of, record_of
from audiocls.importing.results import Results
from audiocls.store import Cell, Failure, Record, Request, Study, StudyFolder, TrialFolder

AT_ONCE = 8
"""Histories that are read at a time."""
UNENDED = ("running", "pending")

Watch = Callable[[int, int], None]
"""Called with the number of runs that are read, and of all."""


@dataclass(frozen=True)
class Imported:
    """The result of an import."""

    study: Study
    num_done: int
    num_failed: int
    num_missing: int
    num_updated: int
    """Records that are new or have changed."""
    notes: tuple[str, ...] = ()
    """Those of the study, and what its comparisons leave open: what could not be checked."""


def store_results(
    folder: StudyFolder, results: Results, options: ImportOptions, request: Request, watch: Watch
) -> Imported:
    """Update the study to what the source has; `request` is stored with it.

    An import that is stopped resumes when it is repeated. Raises `UsageError` with all faults of
    the source and of the options, before anything is written.
    """
    check_imported(folder)
    study, newest = study_of_results(folder.name, results, options, request)
    folder.write_study(study)
    num_updated = _write(folder, results, study.cells, newest, watch)
    return _imported(folder, study, num_updated)


def study_of_results(
    name: str, results: Results, options: ImportOptions, request: Request
) -> tuple[Study, dict[CellKey, AssignedRun]]:
    """Return the study that the results are, and the run of each of its cells.

    Raises `UsageError` with all faults of the source and of the options.
    """
    check_keys(results, options)
    assigned, notes = assign_cells(results, options)
    metric = metric_of(results, options, assigned)
    check_assigned(results, options, assigned, metric)
    newest, older = newest_runs(_with_values(assigned, results, metric))
    study = _study(name, results, options, metric, assigned, newest, request)
    waiting = [each for each in newest.values() if each.run.state in UNENDED]
    running = [f"{len(waiting)} cells have a run that has not ended."] if waiting else []
    notes_of_runs = (*results.notes, *notes, *older, *running, *_commits(newest))
    return replace(study, notes=(*notes_of_runs, *_assumptions(options, study, newest))), newest


def records_of(study: Study, newest: Mapping[CellKey, AssignedRun]) -> dict[str, Record]:
    """Return trial id → record, of the runs that have finished."""
    runs = ((cell, newest.get((cell.arm, *cell.block))) for cell in study.cells)
    return {
        cell.id: record_of(cell, each)
        for cell, each in runs
        if each is not None and each.run.state == "finished"
    }


def _imported(folder: StudyFolder, study: Study, num_updated: int) -> Imported:
    states = folder.states(study.cells)
    num_done, num_failed = (list(states.values()).count(kind) for kind in ("done", "failed"))
    num_missing = len(states) - num_done - num_failed
    notes = compare(study, folder.records(study.cells)).notes
    return Imported(study, num_done, num_failed, num_missing, num_updated, notes)


def check_imported(folder: StudyFolder) -> None:
    """Raise `UsageError` where an import would overwrite a study that was trained here."""
    if folder.exists() and folder.study().kind != "import":
        raise UsageError(
            f"{folder.path} holds a study that was launched here; import under another name: "
            f"--study {shlex.quote(folder.name + '-imported')}"
        )


def _with_values(
    assigned: Sequence[AssignedRun], results: Results, metric: str
) -> list[AssignedRun]:
    """Return rows without a value as trials that ended without one."""
    if not results.is_table:
        return list(assigned)
    return [
        each
        if each.run.summary.get(metric) is not None
        else replace(each, run=replace(each.run, state=f"without a value of {metric}"))
        for each in assigned
    ]


def _study(
    name: str,
    results: Results,
    options: ImportOptions,
    metric: str,
    assigned: Sequence[AssignedRun],
    newest: Mapping[CellKey, AssignedRun],
    request: Request,
) -> Study:
    """Return the study of all arms on all blocks of any arm; cells without a run are missing."""
    arms = list(dict.fromkeys(each.arm for each in assigned))
    baseline = arm_called(options.baseline or BASELINE, arms, options)
    assert baseline is not None, "check_assigned found it"
    changes = changes_of(assigned, baseline, options.arm)
    blocks = sorted({(each.seed, each.fold) for each in assigned})
    ordered = [baseline, *(arm for arm in arms if arm != baseline)]
    keys = [(arm, *block) for block in blocks for arm in ordered]
    return Study(
        name=name,
        question=f"What do the {results.noun}s of {results.name} say of {metric}?",
        recipe="" if results.program else str(results),
        design="arms",
        metric=metric,
        goal=options.goal or (results.goal if metric == results.metric else None) or "maximize",
        baseline=baseline,
        arms={arm: changes[arm] for arm in ordered},
        cells=tuple(Cell(_trial_id(results, key, newest.get(key)), *key) for key in keys),
        secondary=options.secondary,
        margin=0.01 if options.margin is None else options.margin,
        match=options.match,
        kind="import",
        command=request.line(),
        request=request,
        program=results.program,
        code=results.code,
    )


def _trial_id(results: Results, key: CellKey, run: AssignedRun | None) -> str:
    """Return the id of a native trial, or else one that is the same at every import."""
    if run is not None and run.trial:
        return run.trial
    text = "\n".join([results.identity, *map(str, key)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _commits(newest: Mapping[CellKey, AssignedRun]) -> list[str]:
    """Return a note if runs of other programs name several commits.

    No more than a note: a commit may lack local changes, and may differ in a text alone.
    """
    others = [each for each in newest.values() if not each.trial]
    commits = sorted({each.run.commit[:8] for each in others if each.run.commit})
    if len(commits) < 2:
        return []
    return [f"The runs name {len(commits)} commits: {', '.join(commits)}."]


def _assumptions(
    options: ImportOptions, study: Study, newest: Mapping[CellKey, AssignedRun]
) -> list[str]:
    """Return notes on what was not named of another program's runs, and on what is assumed."""
    if not options.arm:
        return []
    seed = "No key of the seed was named: everything counts as seed 0."
    fold = (
        "No key of the fold was named: everything counts as one fold, and the verdict applies to "
        "these test clips alone."
    )
    margin = (
        f"No margin was given: {study.metric} is equivalent within {study.margin:g} of its units, "
        "which may mean nothing; give --margin."
    )
    values = [metrics_of(each.run).get(study.metric, 0.0) for each in newest.values()]
    is_share = scale_of(study.goal, values) == 100
    notes = {
        seed: options.seed is None,
        fold: options.fold is None,
        margin: options.margin is None and not is_share,
    }
    return [note for note, is_due in notes.items() if is_due]


def _write(
    folder: StudyFolder,
    results: Results,
    cells: Sequence[Cell],
    newest: Mapping[CellKey, AssignedRun],
    watch: Watch,
) -> int:
    """Write records, histories and failures; return how many records are new or have changed."""
    num_updated = 0
    due: list[tuple[Cell, Record]] = []
    for cell in cells:
        assigned = newest.get((cell.arm, *cell.block))
        if assigned is None or assigned.run.state != "finished":
            _write_unfinished(folder, cell, assigned, results)
            continue
        record = _record(results, cell, assigned)
        if folder.trial(cell.id).record() != record:
            due.append((cell, record))
    run_ids = [newest[(cell.arm, *cell.block)].run.id for cell, _ in due]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = pool.map(results.history, run_ids)
        for (cell, record), history in zip(due, rows, strict=True):
            trial = folder.trial(cell.id)
            trial.write_history(history_of(history))
            _keep_predictions(results, newest[(cell.arm, *cell.block)], trial)
            trial.replace_record(record)
            num_updated += 1
            watch(num_updated, len(due))
    return num_updated


def _record(results: Results, cell: Cell, assigned: AssignedRun) -> Record:
    """Return the record of a finished run: the trial's own, where it was run here."""
    record = results.trial_of(assigned.run.id).record() if results.trial_of else None
    if record is None:
        return record_of(cell, assigned)
    return replace(record, id=cell.id, seed=cell.seed, fold=cell.fold)


def _keep_predictions(results: Results, assigned: AssignedRun, trial: TrialFolder) -> None:
    if results.trial_of is not None:
        with suppress(FileNotFoundError):
            trial.write_predictions(results.trial_of(assigned.run.id).predictions())


def _write_unfinished(
    folder: StudyFolder, cell: Cell, assigned: AssignedRun | None, results: Results
) -> None:
    """Write a failed run as a failure; leave the cell of any other one without a trial."""
    trial = folder.trial(cell.id)
    if trial.path.exists():
        shutil.rmtree(trial.path)
    if assigned is not None and assigned.run.state not in UNENDED:
        run = f"{results.run_word} {assigned.run.id}".strip()
        message = f"{run} is {assigned.run.state}"
        trial.fail(Failure("error", message, traceback="", attempt=1))
