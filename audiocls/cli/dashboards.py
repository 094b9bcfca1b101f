"""`audiocls report NAME --format wandb`: a Report and a Workspace, saved online or as JSON."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls import console
from audiocls.cli.answer import Answer
from audiocls.errors import UsageError
from audiocls.plan.register import PROJECT
from audiocls.report.dashboards import require_workspaces
from audiocls.store import StudyFolder
from audiocls.store.atomic import write_text
from audiocls.track.mode import default_mode

if TYPE_CHECKING:
    from audiocls.report.dashboards.subject import Place, Subject

LATER = (
    "Written as JSON, since no W&B key is configured or W&B is told to stay offline. "
    "To save both online, run `wandb login` and this command again."
)


def make(found: Answer, out: Path | None, entity: str | None, project: str | None) -> None:
    """Save both where a key is configured and no file is asked for, else write both."""
    require_workspaces()
    from audiocls.report.dashboards.subject import subject_of

    histories = found.folder.histories(found.study.cells)
    subject = subject_of(found.study, found.records, histories)
    place = _place(found.folder, entity, project)
    if out is None and default_mode(os.environ) == "online":
        _save(found, subject, place)
        return
    _write(found, subject, place, out or found.folder.path / "report.wandb.json")
    if out is None:
        console.say(LATER)


def _place(folder: StudyFolder, entity: str | None, project: str | None) -> "Place":
    """The options, else where the study is registered, else the project of its runs."""
    from audiocls.report.dashboards.subject import Place

    known = _read(folder.path / "wandb.json")
    return Place(entity or known.get("entity", ""), project or known.get("project", PROJECT))


def _write(found: Answer, subject: "Subject", place: "Place", path: Path) -> None:
    """The report into `path`, the workspace beside it."""
    from audiocls.report.dashboards.door import spec_of
    from audiocls.report.dashboards.report import report_of
    from audiocls.report.dashboards.workspace import workspace_of

    beside = path.with_name("workspace.wandb.json")
    if path.name == beside.name:
        raise UsageError(
            f"--out: got {path}, which is the workspace's name; name the report's file"
        )
    report = report_of(subject, found.comparison, found.failures(), place)
    for file, view in ((path, report), (beside, workspace_of(subject, place))):
        write_text(file, json.dumps(spec_of(view), indent=1) + "\n")
        console.say(str(file))


def _save(found: Answer, subject: "Subject", place: "Place") -> None:
    """Over what this study saved before, if that was in the same place."""
    from audiocls.report.dashboards.saving import Saved, save

    file = found.folder.path / "dashboards.json"
    before = _read(file)
    saved = save(
        found.comparison, found.failures(), subject, place, Saved(**before) if before else None
    )
    write_text(file, json.dumps(vars(saved), indent=1) + "\n")
    console.say(f"Report: {saved.report_url}")
    console.say(f"Workspace: {saved.workspace_url}")


def _read(file: Path) -> dict[str, str]:
    content: dict[str, str] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return content
