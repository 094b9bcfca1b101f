"""Both dashboards of a study onto the server, over those it saved there before."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from audiocls.analysis.results import Comparison
from audiocls.render.wandb.pairs import answer_run, has_pairs
from audiocls.render.wandb.run_selection import Place, RunSelection
from audiocls.render.wandb.workspace import workspace_of
from audiocls.render.wandb.workspaces_adapter import (
    Report,
    default_entity,
    save_report,
    save_workspace,
    wandb_errors_as,
)
from audiocls.tracking.wandb.report_run import log_report


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


ReportAt = Callable[[Place], Report]
"""The report of a study, wherever its runs lie."""


def save(
    subject: RunSelection,
    report_at: ReportAt,
    comparison: Comparison | None,
    place: Place,
    before: Saved | None,
) -> Saved:
    """The pairs as a run, then the report and the workspace; raises `UsageError` with the reason.

    A search has no pairs to tell. Dashboards saved before in another place stay there.
    """
    place = replace(place, entity=place.entity or default_entity(place.project))
    known = Saved(place.entity, place.project)
    if before is not None and Place(before.entity, before.project) == place:
        known = before
    answer = _tell_pairs(comparison, known) if comparison else ""
    report_id, report_url = save_report(report_at(place), known.report_id)
    name, workspace_id, workspace_url = save_workspace(
        workspace_of(subject, place), (known.workspace_name, known.workspace_id)
    )
    return Saved(
        entity=place.entity,
        project=place.project,
        answer=answer,
        report_id=report_id,
        report_url=report_url,
        workspace_name=name,
        workspace_id=workspace_id,
        workspace_url=workspace_url,
    )


def _tell_pairs(comparison: Comparison, known: Saved) -> str:
    """Once for each answer; the id of the run that holds them, empty where there are none."""
    if not has_pairs(comparison):
        return ""
    run = answer_run(comparison)
    if run.id != known.answer:
        with wandb_errors_as("take the pairs"):
            log_report(run, known.entity, known.project)
    return run.id
