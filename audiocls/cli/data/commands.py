"""`audiocls data list | fetch | check | make | manifest`: data sets before they are trained on."""

from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli.options import JsonOption, show_catalogue
from audiocls.formatting import command_line
from audiocls.render.output import show

DataSetArgument = Annotated[
    str,
    typer.Argument(
        help="A data set, as in `audiocls data list`.", autocompletion=completion.data_sets
    ),
]
DataSetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        autocompletion=completion.root_assignments,
        help="Such as data.root=DIR; repeatable.",
    ),
]
STILL_NEEDED = ("data.labels", "data.val", "data.sample_rate", "data.duration_s")
"""Options that a manifest does not hold."""


def list_(as_json: JsonOption = False) -> None:
    """List data sets, their licences, and how to get them."""
    show_catalogue(audiocls.list_data(), as_json)


def fetch(
    name: DataSetArgument,
    root: Annotated[Path, typer.Option("--root", help="Folder to download into.")] = Path("data"),
) -> None:
    """Download, verify and unpack; resume an interrupted download.

    Without a network it says what to do by hand. Nothing complete is downloaded again.
    """
    fetched = audiocls.fetch_data(name, root=root)
    state = "already downloaded" if fetched.was_there else "complete"
    console.say(f"{fetched.folder}: {state}")
    if fetched.origin.by_hand:
        console.say(fetched.origin.by_hand)
    check = command_line("data", "check", name, "--set", f"data.root={root}")
    console.note(f"next: {check}")


def check(
    name: DataSetArgument,
    assignments: DataSetOption = None,
    is_accepted: Annotated[
        bool, typer.Option("--accept", help="Let launches train on truncated or clipped clips.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decode every clip and list all problems.

    Faults (exit code 2): data that cannot be split or has one class; missing and undecodable clips;
    clips that are truncated, clipped at full scale or whose channels cancel; the same source or the
    same audio in several folds or splits. Warnings (exit code 0): silent, duplicated and skipped
    clips, the same audio under two labels, classes that a fold lacks or that look alike, and what
    was read otherwise than it is written.

    A launch finds the same. It stops at what training would fail on, and where more than 1 % of
    the clips are truncated, clipped or cancelled; the rest are notes of its study.
    """
    checked = audiocls.check_data(name, set=assignments, accept=is_accepted)
    document = checked.report.document
    if as_json:
        console.show_json(document.data())
    else:
        show(document)
    if is_accepted:
        console.note("launches go on although clips are truncated, clipped or cancelled")
    checked.quality.require_usable(name)


def make(
    name: DataSetArgument,
    out: Annotated[Path, typer.Option("--out", help="A folder that does not exist yet.")] = Path(
        "data/synthetic"
    ),
    assignments: DataSetOption = None,
) -> None:
    """Write the synthetic data set as files for other tools.

    They are in ESC-50's layout, with a manifest beside.
    """
    table = audiocls.make_data(name, out=out, set=assignments)
    console.say(f"{out}: {len(table.clips)} clips, {len(table.labels)} classes")
    console.note(f"read it as: --set data.name=esc50 --set data.root={out}  (or data.name=folder)")


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
