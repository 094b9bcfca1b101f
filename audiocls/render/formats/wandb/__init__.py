"""A document on W&B: a Report of one state of a study, and a Workspace that follows its runs.

wandb-workspaces is an extra, `pip install 'audiocls[dashboards]'`; `workspaces_adapter` alone
imports it.
"""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from audiocls.design.register import PROJECT
from audiocls.errors import UsageError
from audiocls.render.document import Document
from audiocls.tracking.mode import default_mode

LATER = (
    "Written as JSON, since no W&B key is configured or W&B is set to offline. "
    "To save both online, run `wandb login` and this command again."
)


def require_workspaces() -> None:
    """Raise `UsageError` where the extra is not installed; imports nothing, so ask early."""
    if find_spec("wandb_workspaces") is None:
        raise UsageError(
            "wandb-workspaces is not installed, and --format wandb needs it: "
            "run `pip install 'audiocls[dashboards]'`, or choose another format"
        )


def publish(
    document: Document, file: Path | None, stem: Path, project: tuple[str, str]
) -> Iterator[str]:
    """Save online where a key is configured and no file is asked for, else write JSON.

    Yields what to say of it. `project` is an entity and a project, each empty where unknown.
    """
    require_workspaces()
    from audiocls.render.formats.wandb.saving import save, write
    from audiocls.tracking.project import ProjectRef

    ref = ProjectRef(project[0], project[1] or PROJECT)
    if file is None and default_mode(os.environ) == "online":
        state = "dashboards.json" if stem.name == "report" else f"{stem.name}.dashboards.json"
        yield from save(document, ref, stem.with_name(state))
        return
    yield from write(document, ref, file or stem.with_name(f"{stem.name}.wandb.json"))
    if file is None:
        yield LATER
