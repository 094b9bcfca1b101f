"""A document's dashboards: a Report, and a Workspace that follows its runs; saved or written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from audiocls.atomic import write_text
from audiocls.errors import UsageError
from audiocls.render.document import Document, Runs, of_kind
from audiocls.render.formats import visible
from audiocls.render.formats.wandb.report import report_of
from audiocls.render.formats.wandb.workspace import workspace_of
from audiocls.render.formats.wandb.workspaces_adapter import (
    default_entity,
    save_report,
    save_workspace,
    spec_of,
    wandb_errors_as,
)
from audiocls.render.run_selection import PairsRun
from audiocls.render.table import Depth
from audiocls.tracking.project import ProjectRef
from audiocls.tracking.wandb.report_run import log_report

WORKSPACE = "workspace.wandb.json"


@dataclass(frozen=True)
class Saved:
    """What finds a study's dashboards again: their ids and their URLs."""

    entity: str
    project: str
    answer: str = ""
    """The run that holds the pairs."""
    report_id: str = ""
    report_url: str = ""
    workspace_name: str = ""
    workspace_id: str = ""
    workspace_url: str = ""


def write(document: Document, ref: ProjectRef, path: Path) -> Iterator[str]:
    """Write the report into `path` and the workspace beside it, if the document has runs."""
    beside = path.with_name(WORKSPACE)
    if path.name == beside.name:
        raise UsageError(
            f"--out: got {path}, which is the workspace's name; name the report's file"
        )
    views = {path: spec_of(report_of(document, ref))}
    if runs := _runs(document):
        views[beside] = spec_of(workspace_of(runs.selection, ref))
    for file, spec in views.items():
        write_text(file, json.dumps(spec, indent=1) + "\n")
        yield str(file)


def save(document: Document, ref: ProjectRef, state: Path) -> Iterator[str]:
    """Save the pairs as a run, then the report and the workspace.

    What `state` says was saved before in the same project is replaced. Raises `UsageError` with the
    server's reason.
    """
    before = Saved(**json.loads(state.read_text("utf-8"))) if state.exists() else None
    ref = replace(ref, entity=ref.entity or default_entity(ref.project))
    known = Saved(ref.entity, ref.project)
    if before is not None and ProjectRef(before.entity, before.project) == ref:
        known = before
    saved = _saved(document, ref, known)
    write_text(state, json.dumps(vars(saved), indent=1) + "\n")
    yield f"Report: {saved.report_url}"
    if saved.workspace_url:
        yield f"Workspace: {saved.workspace_url}"


def _saved(document: Document, ref: ProjectRef, known: Saved) -> Saved:
    runs = _runs(document)
    answer = _save_pairs(runs.pairs, known) if runs and runs.pairs else ""
    report_id, report_url = save_report(report_of(document, ref), known.report_id)
    name, workspace_id, workspace_url = "", "", ""
    if runs:
        before = (known.workspace_name, known.workspace_id)
        name, workspace_id, workspace_url = save_workspace(
            workspace_of(runs.selection, ref), before
        )
    return Saved(
        entity=ref.entity,
        project=ref.project,
        answer=answer,
        report_id=report_id,
        report_url=report_url,
        workspace_name=name,
        workspace_id=workspace_id,
        workspace_url=workspace_url,
    )


def _runs(document: Document) -> Runs | None:
    return next(of_kind(visible(document, Depth.TEXT), Runs), None)


def _save_pairs(pairs: PairsRun, known: Saved) -> str:
    """Upload the pairs once for each answer; return the id of the run that holds them."""
    if pairs.id != known.answer:
        with wandb_errors_as("take the pairs"):
            log_report(pairs.run(), known.entity, known.project)
    return pairs.id
