"""`audiocls data list | fetch | check | make`: what there is to hear, and if it can be trusted."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from audiocls import console, library
from audiocls.audio.datasets import DataSet, Synthetic
from audiocls.audio.fetch.origins import ORIGINS, Origin
from audiocls.cli.check_view import show_health
from audiocls.cli.options import JsonOption, cache_folder
from audiocls.console.bar import counting
from audiocls.dotted import nest
from audiocls.errors import ConfigError, DataError, UsageError
from audiocls.options import Options
from audiocls.validation_errors import describe_errors

app = typer.Typer(no_args_is_help=True, help="Data sets: list, fetch, check, make.")

NameArgument = Annotated[str, typer.Argument(help="A data set, as in `audiocls data list`.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Such as data.root=DIR; repeatable."),
]


class _Chosen(Options):
    data: DataSet


def _chosen(name: str, assignments: list[str] | None) -> DataSet:
    """The data set of that name under `data.…` overrides."""
    given = nest({"data.name": name, **library.overrides(assignments or [])})
    try:
        return _Chosen.model_validate(given).data
    except ValidationError as error:
        raise ConfigError(f"data set {name!r}", describe_errors(error, _Chosen, given)) from error


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """What there is, its licence, and how to get it."""
    origins = ORIGINS.values()
    if as_json:
        return console.show_json([_row(each) | {"page": each.page} for each in origins])
    columns = ("name", "what", "classes", "protocol", "licence", "size", "audiocls data …")
    return console.show_table(
        "Data sets",
        columns,
        [list(_row(each).values()) for each in origins],
        text=columns,
        droppable=("size", "licence", "what", "protocol"),
    )


def _row(origin: Origin) -> dict[str, str]:
    return {
        "name": origin.name,
        "what": origin.what,
        "classes": origin.classes,
        "protocol": origin.protocol,
        "licence": origin.licence,
        "size": origin.size,
        "command": _command(origin),
    }


def _command(origin: Origin) -> str:
    verb = "fetch" if origin.remotes else "make" if origin.name == "synthetic" else "check"
    return f"{verb} {origin.name}"


@app.command()
def fetch(
    name: NameArgument,
    root: Annotated[Path, typer.Option("--root", help="Folder to fetch into.")] = Path("data"),
) -> None:
    """Download, check and unpack; go on where it broke off.

    Without a network it says what to do by hand. What is there is not fetched again.
    """
    from audiocls.audio.fetch import fetch as get
    from audiocls.audio.fetch import origin_of

    origin = origin_of(name)
    with counting("bytes") as count:
        fetched = get(origin, root, count)
    state = "was there already, complete" if fetched.was_there else "is complete"
    console.say(f"{fetched.folder} {state}")
    if origin.by_hand:
        console.say(origin.by_hand)
    console.note(f"next: audiocls data check {name} --set data.root={root}")


@app.command()
def check(name: NameArgument, assignments: SetOption = None, as_json: JsonOption = False) -> None:
    """Listen to every clip and say what is wrong.

    Missing, undecodable and truncated clips, and the same source or the same sound in several
    folds or splits, are faults: exit code 2. Silent, duplicated and left-out clips, sounds under
    two labels and classes that a fold lacks are warnings: exit code 0.
    """
    from audiocls.audio.check import as_values
    from audiocls.audio.check import check as examine

    data = _chosen(name, assignments)
    with counting("clips") as count:
        health = examine(data, cache_folder(), partial(count, f"checking {name}"))
    if as_json:
        console.show_json(as_values(health))
    else:
        show_health(data, health)
    num_faults = sum(finding.is_fault for finding in health.findings)
    if num_faults:
        plural = "faults make" if num_faults > 1 else "fault makes"
        raise DataError(f"{name}: {num_faults} {plural} this data unusable as it is.")


@app.command()
def make(
    name: NameArgument,
    out: Annotated[Path, typer.Option("--out", help="A folder that is not there yet.")] = Path(
        "data/synthetic"
    ),
    assignments: SetOption = None,
) -> None:
    """Write the synthetic data set as files for other tools.

    They are in ESC-50's layout, with a manifest beside.
    """
    data = _chosen(name, assignments)
    if not isinstance(data, Synthetic):
        raise UsageError(f"{name!r} is not made but fetched: audiocls data fetch; made: synthetic.")
    table = data.make(out)
    console.say(f"{out}: {len(table.clips)} clips, {len(table.labels)} classes")
    console.note(f"read it as: --set data.name=esc50 --set data.root={out}  (or data.name=folder)")
