"""`audiocls report NAME --format wandb`: a Report and a Workspace, saved online or as JSON."""

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls import console
from audiocls.analysis.ranking import Ranking
from audiocls.analysis.results import Comparison
from audiocls.atomic import write_text
from audiocls.design.register import PROJECT
from audiocls.errors import UsageError
from audiocls.render.ranking import ranking_headline, table_of
from audiocls.render.wandb import require_workspaces
from audiocls.store import StudyFolder
from audiocls.studies.reports import StudyReport
from audiocls.studies.status import failure_lines
from audiocls.tracking.mode import default_mode

if TYPE_CHECKING:
    from audiocls.render.wandb.run_selection import Place, RunSelection
    from audiocls.render.wandb.saving import ReportAt

LATER = (
    "Written as JSON, since no W&B key is configured or W&B is told to stay offline. "
    "To save both online, run `wandb login` and this command again."
)


@dataclass(frozen=True)
class Views:
    """What there is to be saved or written of a study."""

    folder: StudyFolder
    subject: "RunSelection"
    report_at: "ReportAt"
    comparison: Comparison | None
    """An ablation's, whose pairs go along."""


def of_ablation(found: StudyReport) -> Views:
    """The verdicts, the pairs, and the runs by arm."""
    require_workspaces()
    from audiocls.render.wandb.report import report_of
    from audiocls.render.wandb.run_selection import subject_of

    histories = found.folder.histories(found.study.cells)
    subject = subject_of(found.study, found.records, histories)
    report_at = partial(report_of, subject, found.comparison, found.failures())
    return Views(found.folder, subject, report_at, found.comparison)


def of_search(folder: StudyFolder, ranking: Ranking) -> Views:
    """The ranking, and each run for itself."""
    require_workspaces()
    from audiocls.render.wandb.search import Found, search_report_of, subject_of_search

    proposals = folder.proposals()
    records, histories = folder.records(proposals), folder.histories(proposals)
    subject = subject_of_search(
        ranking.study.name, ranking.metric, ranking.searched, records, histories, len(proposals)
    )
    found = Found(
        description=ranking.sweep.description,
        headline=ranking_headline(ranking),
        ranking=table_of(ranking),
        failed=tuple(failure_lines(folder)),
        command=ranking.study.command,
    )
    return Views(folder, subject, partial(search_report_of, subject, found), None)


def make(views: Views, out: Path | None, entity: str | None, project: str | None) -> None:
    """Save both where a key is configured and no file is asked for, else write both."""
    place = _place(views.folder, entity, project)
    if out is None and default_mode(os.environ) == "online":
        _save(views, place)
        return
    _write(views, place, out or views.folder.path / "report.wandb.json")
    if out is None:
        console.say(LATER)


def _place(folder: StudyFolder, entity: str | None, project: str | None) -> "Place":
    """The options, else where the study is or its runs are, else the project of new runs."""
    from audiocls.render.wandb.run_selection import Place
    from audiocls.wandb_server.push import place_of

    known = place_of(folder)
    return Place(
        entity or (known.entity if known else ""), project or (known.project if known else PROJECT)
    )


def _write(views: Views, place: "Place", path: Path) -> None:
    """The report into `path`, the workspace beside it."""
    from audiocls.render.wandb.workspace import workspace_of
    from audiocls.render.wandb.workspaces_adapter import spec_of

    beside = path.with_name("workspace.wandb.json")
    if path.name == beside.name:
        raise UsageError(
            f"--out: got {path}, which is the workspace's name; name the report's file"
        )
    workspace = workspace_of(views.subject, place)
    for file, view in ((path, views.report_at(place)), (beside, workspace)):
        write_text(file, json.dumps(spec_of(view), indent=1) + "\n")
        console.say(str(file))


def _save(views: Views, place: "Place") -> None:
    """Over what this study saved before, if that was in the same place."""
    from audiocls.render.wandb.saving import Saved, save

    file = views.folder.path / "dashboards.json"
    before = Saved(**json.loads(file.read_text("utf-8"))) if file.exists() else None
    saved = save(views.subject, views.report_at, views.comparison, place, before)
    write_text(file, json.dumps(vars(saved), indent=1) + "\n")
    console.say(f"Report: {saved.report_url}")
    console.say(f"Workspace: {saved.workspace_url}")
