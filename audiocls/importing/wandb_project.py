"""`import_study`: the runs of a W&B project become a study that a report can read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from audiocls.errors import UsageError
from audiocls.importing.cells import ImportOptions
from audiocls.importing.results import History, Results
from audiocls.importing.study import Imported, Watch, check_imported, store_results
from audiocls.store import Request, StudyFolder
from audiocls.tracking.project import Project, ProjectRef
from audiocls.tracking.sweep_server import SweepPath
from audiocls.wandb_remote.push import remember_place


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
    check_imported(folder)
    options = _with_sweep_metric(options, project, source)
    imported = store_results(folder, _results(project, source), options, request, watch)
    remember_place(folder, source.place, source.sweep)
    return imported


def _results(project: Project, source: Source) -> Results:
    runs = list(project.runs(source.place, source.filters))
    if not runs:
        raise UsageError(f"{source} has no runs{' that pass the filters' * bool(source.filters)}")

    def history(run_id: str) -> History:
        return project.history(source.place, run_id)

    return Results(str(source), runs, "W&B", identity=str(source.place), history=history)


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
