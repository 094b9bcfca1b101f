"""`audiocls data list | fetch | make`: where data sets come from."""

from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli.options import JsonOption, show_catalogue
from audiocls.formatting import command_line

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
