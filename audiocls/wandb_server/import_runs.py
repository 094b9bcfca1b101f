"""`import_study`: the runs of a W&B project become a study on this disk that a report can read.

Nothing that W&B does not know is made up: it is unknown in the records too.
"""

import hashlib
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
from audiocls.wandb_server.push import remember_place
from audiocls.wandb_server.remote import ImportOptions, Placed, assign_cells, changes_of, chosen
from audiocls.wandb_server.remote_record import history_of, metrics_of, record_of

METRICS = ("test/accuracy", "test/map")
"""What our own runs are judged by, where nobody says."""
AT_ONCE = 8
"""Histories asked for at a time."""

Watch = Callable[[int, int], None]
"""Gets how many runs are read, of how many."""


@dataclass(frozen=True)
class Source:
    """Where the runs are."""

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
    """`ENTITY/PROJECT[/SWEEP]` and filters; raises `UsageError` for any other text."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise UsageError(f"got {text!r}; wanted: ENTITY/PROJECT or ENTITY/PROJECT/SWEEP")
    entity, project, *sweep = parts
    return Source(ProjectRef(entity, project), sweep[0] if sweep else None, group, where)


@dataclass(frozen=True)
class Imported:
    """What an import ended with."""

    study: Study
    num_done: int
    num_failed: int
    num_missing: int
    num_updated: int
    """Records that are new or not as they were."""


def import_study(
    folder: StudyFolder,
    project: Project,
    source: Source,
    asked: ImportOptions,
    request: Request,
    watch: Watch,
) -> Imported:
    """Bring the study up to what the project has; `request` is kept with it.

    Stopped at any moment, it is gone on with by doing it again. Raises `UsageError` for keys and
    names that no run has.
    """
    _require_own(folder)
    wanted = _with_sweep(asked, project, source)
    runs = list(project.runs(source.place, source.filters))
    if not runs:
        raise UsageError(f"{source} has no runs{' that pass the filters' * bool(source.filters)}")
    found, notes = assign_cells(runs, wanted)
    best, older = chosen(found)
    study = _study(folder.name, source, wanted, found, best, request)
    waiting = [each for each in best.values() if each.run.state in ("running", "pending")]
    still = [f"{len(waiting)} cells have a run that has not ended."] if waiting else []
    study = replace(study, notes=(*notes, *older, *still, *_commits(best)))
    folder.write_study(study)
    remember_place(folder, source.place, source.sweep)
    num_updated = _write(folder, project, source.place, study.cells, best, watch)
    states = folder.states(study.cells)
    num_done, num_failed = (list(states.values()).count(kind) for kind in ("done", "failed"))
    num_missing = len(states) - num_done - num_failed
    return Imported(study, num_done, num_failed, num_missing, num_updated)


def _require_own(folder: StudyFolder) -> None:
    """What was trained here is not to be written over."""
    if folder.exists() and folder.study().kind != "import":
        raise UsageError(
            f"{folder.path} holds a study that was launched here; import under another name: "
            f"--study {folder.name}-imported"
        )


def _with_sweep(asked: ImportOptions, project: Project, source: Source) -> ImportOptions:
    """What is not said is as the sweep says."""
    if source.sweep is None:
        return asked
    path = SweepPath(source.place.entity, source.place.project, source.sweep)
    metric = project.sweeps.sweep(path).config.get("metric") or {}
    name = asked.metric or metric.get("name")
    is_sweeps = bool(metric) and name == metric.get("name")
    goal = asked.goal or (metric.get("goal", "minimize") if is_sweeps else None)
    return replace(asked, metric=name, goal=goal)


def _study(
    name: str,
    source: Source,
    asked: ImportOptions,
    found: Sequence[Placed],
    best: Mapping[tuple[str, int, int], Placed],
    request: Request,
) -> Study:
    """All arms on all blocks that any of them has; what has no run is missing."""
    metric = _metric(asked, [each.run for each in best.values()])
    arms = list(dict.fromkeys(each.arm for each in found))
    baseline = _baseline(asked, arms)
    changes = changes_of(found, baseline, asked.arm)
    blocks = sorted({(each.seed, each.fold) for each in found})
    ordered = [baseline, *(arm for arm in arms if arm != baseline)]
    places = [(arm, *block) for block in blocks for arm in ordered]
    return Study(
        name=name,
        question=f"What do the runs of {source} say of {metric}?",
        recipe=f"W&B {source}",
        design="arms",
        metric=metric,
        goal=asked.goal or "maximize",
        baseline=baseline,
        arms={arm: changes[arm] for arm in ordered},
        cells=tuple(Cell(_trial_id(source, place, best.get(place)), *place) for place in places),
        kind="import",
        command=request.line(),
        request=request,
    )


def _metric(asked: ImportOptions, runs: Sequence[RemoteRun]) -> str:
    ended = [run for run in runs if run.state == "finished"]
    known = sorted({name for run in ended for name in metrics_of(run)})
    usual = [name for name in METRICS if name in known and not asked.arm]
    wanted = asked.metric or next(iter(usual), None)
    if wanted is None:
        raise UsageError(f"name what decides with --metric NAME; metrics: {', '.join(known)}")
    if wanted not in known:
        raise UsageError(
            f"no finished run has the metric {wanted!r}.{did_you_mean(wanted, known)} "
            f"Metrics: {', '.join(known) or 'none, as no run is finished'}"
        )
    return wanted


def _baseline(asked: ImportOptions, arms: Sequence[str]) -> str:
    wanted = asked.baseline or (BASELINE if BASELINE in arms else None)
    if wanted is None:
        raise UsageError(
            "name the arm that the others are compared with: --baseline NAME. "
            f"Arms: {'; '.join(arms)}"
        )
    if wanted not in arms:
        raise UsageError(
            f"no arm is called {wanted!r}.{did_you_mean(wanted, arms)} Arms: {'; '.join(arms)}"
        )
    return wanted


def _trial_id(source: Source, place: tuple[str, int, int], found: Placed | None) -> str:
    """The trial's own id where it has one, else one that is the same at every import."""
    if found is not None and found.trial:
        return found.trial
    text = "\n".join([str(source.place), *map(str, place)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _commits(best: Mapping[tuple[str, int, int], Placed]) -> list[str]:
    """A commit is not the code that ran: it may lack changes, and differ in a text alone."""
    foreign = [each for each in best.values() if not each.trial]
    commits = sorted({each.run.commit[:8] for each in foreign if each.run.commit})
    if len(commits) < 2:
        return []
    return [f"The runs name {len(commits)} commits: {', '.join(commits)}."]


def _write(
    folder: StudyFolder,
    project: Project,
    place: ProjectRef,
    cells: Sequence[Cell],
    best: Mapping[tuple[str, int, int], Placed],
    watch: Watch,
) -> int:
    """Records, histories and failures; a run whose record is here already is not read again."""
    num_updated = 0
    due: list[tuple[Cell, Record]] = []
    for cell in cells:
        found = best.get((cell.arm, *cell.block))
        if found is None or found.run.state != "finished":
            _write_unfinished(folder, cell, found)
            continue
        record = record_of(cell, found)
        if folder.trial(cell.id).record() != record:
            due.append((cell, record))
    run_ids = [best[(cell.arm, *cell.block)].run.id for cell, _ in due]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = pool.map(lambda run_id: project.history(place, run_id), run_ids)
        for (cell, record), history in zip(due, rows, strict=True):
            trial = folder.trial(cell.id)
            trial.write_history(history_of(history))
            trial.finish(record)
            num_updated += 1
            watch(num_updated, len(due))
    return num_updated


def _write_unfinished(folder: StudyFolder, cell: Cell, found: Placed | None) -> None:
    """A run that failed is a failure; one that has not ended, or is not there, is missing."""
    trial = folder.trial(cell.id)
    if trial.path.exists():
        shutil.rmtree(trial.path)
    if found is not None and found.run.state not in ("running", "pending"):
        message = f"W&B run {found.run.id} is {found.run.state}"
        trial.fail(Failure("error", message, traceback="", attempt=1))
