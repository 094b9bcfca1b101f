"""A study's Workspace: the report's panels over all its runs, also those still to come."""

import unicodedata

from audiocls.render.formats.wandb.panels import FEWEST_SHOWN, metric_columns, sections
from audiocls.render.formats.wandb.workspaces_adapter import (
    deterministic_id,
    name_parts,
    show_only,
    ws,
)
from audiocls.render.run_selection import RunSelection
from audiocls.tracking.project import ProjectRef

REFUSED = ("So", "Sk", "Sm", "Sc", "Cs")
"""Unicode's categories of symbols, which W&B refuses in a workspace's name."""


def workspace_of(selection: RunSelection, ref: ProjectRef) -> ws.Workspace:
    """Return sections of panels, filtered to the study's group."""
    by_title = sections(selection)
    name_parts(
        f"{selection.study}/workspace", [panel for part in by_title.values() for panel in part]
    )
    workspace = ws.Workspace(
        entity=ref.entity,
        project=ref.project,
        name=_without_symbols(selection.study),
        sections=[
            ws.Section(name=title, panels=list(panels), is_open=True)
            for title, panels in by_title.items()
        ],
        settings=ws.WorkspaceSettings(
            x_axis=selection.axis, max_runs=max(FEWEST_SHOWN, selection.num_runs)
        ),
        runset_settings=ws.RunsetSettings(pinned_columns=metric_columns(selection)),
    )
    show_only(workspace, selection.runs)
    workspace._internal_runset_id = deterministic_id(f"{selection.study}/runset")
    return workspace


def _without_symbols(name: str) -> str:
    return "".join("-" if unicodedata.category(mark) in REFUSED else mark for mark in name)
