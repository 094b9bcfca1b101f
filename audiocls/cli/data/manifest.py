"""`audiocls data manifest`: write down how a folder is read."""

from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli.data.sources import DataSetOption
from audiocls.formatting import command_line

STILL_NEEDED = ("data.labels", "data.val", "data.sample_rate", "data.duration_s")
"""Options that a manifest does not hold."""


def manifest(
    folder: Annotated[Path, typer.Argument(help="Class folders, or another tool's list.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Default: manifest.csv in the folder.")
    ] = None,
    assignments: DataSetOption = None,
) -> None:
    """Write a manifest.csv of what is recognised in a folder: columns, labels, splits, sources.

    It can then be edited, and is read from now on instead of what it was made of.
    """
    path, table = audiocls.write_manifest(folder, out=out, set=assignments)
    for remark in table.remarks:
        console.note(f"{remark.kind}: {remark.text}")
    console.say(f"{path}: {len(table.clips)} clips, {len(table.labels)} classes")
    at = ["--set", f"data.root={path.parent}"]
    at += ["--set", f"data.manifest={path.name}"] if path.name != "manifest.csv" else []
    for item in assignments or []:
        at += ["--set", item] if item.startswith(STILL_NEEDED) else []
    console.note(f"next: {command_line('data', 'check', 'folder', *at)}")
