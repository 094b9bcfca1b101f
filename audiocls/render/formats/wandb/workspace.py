"""A study's Workspace: the report's panels over all its runs, also those still to come."""

import unicodedata

from audiocls.render.wandb.panels import FEWEST_SHOWN, metric_columns, sections
from audiocls.render.wandb.run_selection import Place, RunSelection
from audiocls.render.wandb.workspaces_adapter import deterministic_id, name_parts, show_only, ws

REFUSED = ("So", "Sk", "Sm", "Sc", "Cs")
"""Unicode's categories of symbols, which W&B refuses in a workspace's name."""


def workspace_of(subject: RunSelection, place: Place) -> ws.Workspace:
    """Sections of panels, filtered to the study's group."""
    found = sections(subject)
    name_parts(f"{subject.study}/workspace", [panel for part in found.values() for panel in part])
    workspace = ws.Workspace(
        entity=place.entity,
        project=place.project,
        name=_without_symbols(subject.study),
        sections=[
            ws.Section(name=title, panels=list(panels), is_open=True)
            for title, panels in found.items()
        ],
        settings=ws.WorkspaceSettings(
            x_axis=subject.axis, max_runs=max(FEWEST_SHOWN, subject.num_runs)
        ),
        runset_settings=ws.RunsetSettings(pinned_columns=metric_columns(subject)),
    )
    show_only(workspace, subject.runs)
    workspace._internal_runset_id = deterministic_id(f"{subject.study}/runset")
    return workspace


def _without_symbols(name: str) -> str:
    return "".join("-" if unicodedata.category(mark) in REFUSED else mark for mark in name)
