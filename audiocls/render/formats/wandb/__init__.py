"""A document on W&B: a Report of one state of a study, and a Workspace that follows its runs.

wandb-workspaces is an extra, `pip install 'audiocls[dashboards]'`; `workspaces_adapter` alone
imports it.
"""

from importlib.util import find_spec

from audiocls.errors import UsageError


def require_workspaces() -> None:
    """Raise `UsageError` where the extra is not installed; imports nothing, so ask early."""
    if find_spec("wandb_workspaces") is None:
        raise UsageError(
            "wandb-workspaces is not installed, and --format wandb needs it: "
            "run `pip install 'audiocls[dashboards]'`, or choose another format"
        )
