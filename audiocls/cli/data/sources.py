"""`audiocls data list | fetch | make`: where data sets come from."""

from pathlib import Path
from typing import Annotated

import typer

from audiocls import console, library
from audiocls.audio.fetch.origins import ORIGINS
from audiocls.cli.options import JsonOption
from audiocls.console.bar import counting
from audiocls.formatting import command_line

DataSetArgument = Annotated[str, typer.Argument(help="A data set, as in `audiocls data list`.")]
DataSetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Such as data.root=DIR; repeatable."),
]


def list_(as_json: JsonOption = False) -> None:
    """List data sets, their licences, and how to get them."""
    origins = ORIGINS.values()
    if as_json:
        return console.show_json([each.row() | {"page": each.page} for each in origins])
    columns = ("name", "what", "classes", "protocol", "licence", "size", "audiocls data …")
    return console.show_table(
        "Data sets",
        columns,
        [list(each.row().values()) for each in origins],
        text=columns,
        droppable=("size", "licence", "what", "protocol"),
    )


def fetch(
    name: DataSetArgument,
    root: Annotated[Path, typer.Option("--root", help="Folder to download into.")] = Path("data"),
) -> None:
    """Download, verify and unpack; resume an interrupted download.

    Without a network it says what to do by hand. Nothing complete is downloaded again.
    """
    from audiocls.audio.fetch import fetch as download
    from audiocls.audio.fetch import origin_of

    origin = origin_of(name)
    with counting("bytes") as count:
        fetched = download(origin, root, count)
    state = "already downloaded" if fetched.was_there else "complete"
    console.say(f"{fetched.folder}: {state}")
    if origin.by_hand:
        console.say(origin.by_hand)
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
    from audiocls.audio.datasets import dataset_named, write_synthetic

    table = write_synthetic(dataset_named(name, library.overrides(assignments or [])), out)
    console.say(f"{out}: {len(table.clips)} clips, {len(table.labels)} classes")
    console.note(f"read it as: --set data.name=esc50 --set data.root={out}  (or data.name=folder)")
