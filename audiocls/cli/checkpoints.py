"""What the commands that use a checkpoint share: naming it, and naming a file to write."""

from pathlib import Path
from typing import Annotated

import typer

from audiocls.errors import UsageError

CheckpointArgument = Annotated[
    Path, typer.Argument(help="A finished trial's folder, or its weights.")
]


def require_file_name(out: Path | None) -> None:
    """Refuses, before any work is done, an `--out` that no file can have."""
    if out is None:
        return
    if out.is_dir():
        raise UsageError(f"--out: got the folder {out}; wanted: the name of a file in it")
    for parent in out.parents:
        if parent.exists() and not parent.is_dir():
            raise UsageError(f"--out: got {out}, but {parent} is a file, not a folder")
