"""The offline run that a test has just made."""

from pathlib import Path

from audiocls.track import wandb_log


def read_run(folder: Path) -> wandb_log.LoggedRun:
    """The one offline run somewhere below `folder`."""
    (file,) = folder.rglob("*.wandb")
    return wandb_log.read_run(file)
