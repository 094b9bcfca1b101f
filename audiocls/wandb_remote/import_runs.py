"""`import_study`: store the runs of a W&B project as a study that a report can read.

Values that W&B does not have stay unknown in the records.
"""

import hashlib
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from audiocls.design import BASELINE
from audiocls.errors import UsageError, did_you_mean
from audiocls.store import Cell, Failure, Record, Request, Study, StudyFolder
from audiocls.tracking.project import Project, ProjectRef, RemoteRun
from audiocls.tracking.sweep_server import SweepPath
from audiocls.wandb_remote.import_cells import (
    AssignedRun,
    CellKey,
    ImportOptions,
    assign_cells,
    changes_of,
    newest_runs,
)
from audiocls.wandb_remote.import_records import history_of, metrics_of, record_of
from audiocls.wandb_remote.push import remember_place

METRICS = ("test/accuracy", "test/map")
"""Default metric of runs that audiocls logged: the first that they have."""
AT_ONCE = 8
"""Histories that are read at a time."""

Watch = Callable[[int, int], None]
"""Called with the number of runs that are read, and of all."""


@dataclass(frozen=True)
class Source:
    """The project, and which of its runs."""

    place: ProjectRef
    sweep: str | None = None
    group: str | None = None
    where: Mapping[str, Any] | None = None
    """A filter in W&B's grammar."""

    @property
    def filters(self) -> dict[str, Any]:
        parts = [{"sweep": self.sweep} if self.sweep else {}]
        parts += [{"group": self.group} if self.group else {}, dict(self.where or {})]
        given = [part for part in parts if part]
        return {"$and": given} if given else {}

    def __str__(self) -> str:
        return f"{self.place}/{self.sweep}" if self.sweep else str(self.place)


def source_of(
    text: str, group: str | None = None, where: Mapping[str, Any] | None = None
) -> Source:
    """Parse `ENTITY/PROJECT[/SWEEP]`; raises `UsageError` for any other text."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise UsageError(f"got {text!r}; wanted: ENTITY/PROJECT or ENTITY/PROJECT/SWEEP")
    entity, project, *sweep = parts
    return Source(ProjectRef(entity, project), sweep[0] if sweep else None, group, where)


@dataclass(frozen=True)
class Imported:
    """The result of an import."""

    study: Study
    num_done: int
    num_failed: int
    num_missing: int
    num_updated: int
    """Records that are new or have changed."""


def import_study(
    folder: StudyFolder,
    project: Project,
    source: Source,
    options: ImportOptions,
    request: Request,
    watch: Watch,
) -> Imported:
    """Update the study to what the project has; `request` is stored with it.

    An import that is stopped resumes when it is repeated. Raises `UsageError` for keys and names
    that no run has.
    """
    _check_imported(folder)
    options = _with_sweep_metric(options, project, source)
    runs = list(project.runs(source.place, source.filters))
    if not runs:
        raise UsageError(f"{source} has no runs{' that pass the filters' * bool(source.filters)}")
    assigned, notes = assign_cells(runs, options)
    newest, older = newest_runs(assigned)
    study = _study(folder.name, source, options, assigned, newest, request)
    waiting = [each for each in newest.values() if each.run.state in ("running", "pending")]
    running = [f"{len(waiting)} cells have a run that has not ended."] if waiting else []
    study = replace(study, notes=(*notes, *older, *running, *_commits(newest)))
    folder.write_study(study)
    remember_place(folder, source.place, source.sweep)
    num_updated = _write(folder, project, source.place, study.cells, newest, watch)
    states = folder.states(study.cells)
    num_done, num_failed = (list(states.values()).count(kind) for kind in ("done", "failed"))
    num_missing = len(states) - num_done - num_failed
    return Imported(study, num_done, num_failed, num_missing, num_updated)


def _check_imported(folder: StudyFolder) -> None:
    """Raise `UsageError` where an import would overwrite a study that was trained here."""
    if folder.exists() and folder.study().kind != "import":
        raise UsageError(
            f"{folder.path} holds a study that was launched here; import under another name: "
            f"--study {shlex.quote(folder.name + '-imported')}"
        )


def _with_sweep_metric(options: ImportOptions, project: Project, source: Source) -> ImportOptions:
    """Return `options` with metric and goal of the sweep where they are not given."""
    if source.sweep is None:
        return options
    path = SweepPath(source.place.entity, source.place.project, source.sweep)
    metric = project.sweeps.sweep(path).config.get("metric") or {}
    name = options.metric or metric.get("name")
    is_sweeps = bool(metric) and name == metric.get("name")
    goal = options.goal or (metric.get("goal", "minimize") if is_sweeps else None)
    return replace(options, metric=name, goal=goal)


def _study(
    name: str,
    source: Source,
    options: ImportOptions,
    assigned: Sequence[AssignedRun],
    newest: Mapping[CellKey, AssignedRun],
    request: Request,
) -> Study:
    """Return the study of all arms on all blocks of any arm; cells without a run are missing."""
    metric = _metric(options, [each.run for each in newest.values()])
    arms = list(dict.fromkeys(each.arm for each in assigned))
    baseline = _baseline(options, arms)
    changes = changes_of(assigned, baseline, options.arm)
    blocks = sorted({(each.seed, each.fold) for each in assigned})
    ordered = [baseline, *(arm for arm in arms if arm != baseline)]
    keys = [(arm, *block) for block in blocks for arm in ordered]
    return Study(
        name=name,
        question=f"What do the runs of {source} say of {metric}?",
        recipe=f"W&B {source}",
        design="arms",
        metric=metric,
        goal=options.goal or "maximize",
        baseline=baseline,
        arms={arm: changes[arm] for arm in ordered},
        cells=tuple(Cell(_trial_id(source, key, newest.get(key)), *key) for key in keys),
        kind="import",
        command=request.line(),
        request=request,
    )


def _metric(options: ImportOptions, runs: Sequence[RemoteRun]) -> str:
    ended = [run for run in runs if run.state == "finished"]
    known = sorted({name for run in ended for name in metrics_of(run)})
    usual = [name for name in METRICS if name in known and not options.arm]
    metric = options.metric or next(iter(usual), None)
    if metric is None:
        raise UsageError(
            f"name the metric to compare with --metric NAME; metrics: {', '.join(known)}"
        )
    if metric not in known:
        raise UsageError(
            f"no finished run has the metric {metric!r}.{did_you_mean(metric, known)} "
            f"Metrics: {', '.join(known) or 'none, as no run is finished'}"
        )
    return metric


def _baseline(options: ImportOptions, arms: Sequence[str]) -> str:
    baseline = options.baseline or (BASELINE if BASELINE in arms else None)
    if baseline is None:
        raise UsageError(
            "name the arm that the others are compared with: --baseline NAME. "
            f"Arms: {'; '.join(arms)}"
        )
    if baseline not in arms:
        raise UsageError(
            f"no arm is called {baseline!r}.{did_you_mean(baseline, arms)} Arms: {'; '.join(arms)}"
        )
    return baseline


def _trial_id(source: Source, key: CellKey, run: AssignedRun | None) -> str:
    """Return the id of a native trial, or else one that is the same at every import."""
    if run is not None and run.trial:
        return run.trial
    text = "\n".join([str(source.place), *map(str, key)])
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


def _write(
    folder: StudyFolder,
    project: Project,
    place: ProjectRef,
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
            _write_unfinished(folder, cell, assigned)
            continue
        record = record_of(cell, assigned)
        if folder.trial(cell.id).record() != record:
            due.append((cell, record))
    run_ids = [newest[(cell.arm, *cell.block)].run.id for cell, _ in due]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = pool.map(lambda run_id: project.history(place, run_id), run_ids)
        for (cell, record), history in zip(due, rows, strict=True):
            trial = folder.trial(cell.id)
            trial.write_history(history_of(history))
            trial.finish(record)
            num_updated += 1
            watch(num_updated, len(due))
    return num_updated


def _write_unfinished(folder: StudyFolder, cell: Cell, assigned: AssignedRun | None) -> None:
    """Write a failed run as a failure; leave the cell of any other one without a trial."""
    trial = folder.trial(cell.id)
    if trial.path.exists():
        shutil.rmtree(trial.path)
    if assigned is not None and assigned.run.state not in ("running", "pending"):
        message = f"W&B run {assigned.run.id} is {assigned.run.state}"
        trial.fail(Failure("error", message, traceback="", attempt=1))
