"""The only door to wandb-workspaces (0.4.13, a public preview: pinned).

What it builds has random ids; here they follow from the study, so that the same study makes the
same dashboards, byte for byte, saved or written.
"""

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from audiocls.errors import UsageError
from audiocls.render.run_selection import Conditions

with warnings.catch_warnings():
    # It still defines its models in pydantic's old way, and says so on every import.
    warnings.simplefilter("ignore", DeprecationWarning)
    from wandb_workspaces.reports.v2 import interface as wr
    from wandb_workspaces.workspaces import interface as ws

Panel = (
    wr.LinePlot
    | wr.BarPlot
    | wr.ParallelCoordinatesPlot
    | wr.ParameterImportancePlot
    | wr.MediaBrowser
    | wr.CustomChart
)

Report = wr.Report

__all__ = [
    "Panel",
    "Report",
    "default_entity",
    "deterministic_id",
    "name_parts",
    "save_report",
    "save_workspace",
    "show_only",
    "spec_of",
    "wandb_errors_as",
    "wr",
    "ws",
]


def show_only(view: wr.Runset | ws.Workspace, conditions: Conditions) -> None:
    """Filter its runs; as W&B keeps it, since its language of filters loses quotes and `=`."""
    filters = [
        {
            "key": {"section": condition.section, "name": condition.name},
            "op": condition.op,
            "value": list(value) if isinstance(value := condition.value, tuple) else value,
            "disabled": False,
            **({"connector": "AND"} if index else {}),
        }
        for index, condition in enumerate(conditions)
    ]
    view._stashed_filters_v2 = {"filterFormat": "filterV2", "filters": filters}
    view._stashed_filter_string = ""


def name_parts(study: str, parts: Iterable[wr.Runset | Panel]) -> None:
    """Give each runset and panel an id by its position."""
    for index, part in enumerate(parts):
        part._id = deterministic_id(f"{study}/{index}")


def deterministic_id(name: str) -> str:
    """Return twelve characters, as W&B's own ids have."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def spec_of(view: wr.Report | ws.Workspace) -> dict[str, Any]:
    """Return what saving sends to the server, as plain JSON."""
    text = view._to_model().model_dump_json(by_alias=True, exclude_none=True)
    spec: dict[str, Any] = json.loads(text)
    return spec


def default_entity(project: str) -> str:
    """Return the user or team of the configured key."""
    with wandb_errors_as("say whose key this is"):
        return str(wr.Report(project=project).entity)  # type: ignore[call-arg]  # it has a default


def save_report(report: wr.Report, known_id: str) -> tuple[str, str]:
    """Save, in place of the report of that id if there is one; return its id and its URL."""
    report.id = known_id
    with wandb_errors_as(_taking("report", known_id)):
        report.save()
    return str(report.id), str(report.url)


def save_workspace(workspace: ws.Workspace, known: tuple[str, str]) -> tuple[str, str, str]:
    """Save, in place of the one of that name and id; return its name, id and URL."""
    workspace._internal_name, workspace._internal_id = known
    with wandb_errors_as(_taking("workspace", known[1])):
        workspace.save()  # type: ignore[no-untyped-call]
    return workspace._internal_name, workspace._internal_id, str(workspace.url)


def _taking(view: str, known_id: str) -> str:
    was_deleted = " (if it was deleted there, delete the study's dashboards.json)"
    return f"replace the {view} saved before{was_deleted}" if known_id else f"take the {view}"


@contextmanager
def wandb_errors_as(what: str) -> Iterator[None]:
    """Turn whatever the server or the library raises into one error that says what to do."""
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).rstrip('. ')}"
        raise UsageError(
            f"W&B did not {what}: {reason}. Check the key (`wandb login`), --entity and --project; "
            "--out FILE writes both dashboards as JSON instead"
        ) from error
