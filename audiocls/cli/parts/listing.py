"""`audiocls parts list`: shipped parts, and those of installed plugins."""

from dataclasses import asdict
from typing import Annotated

import typer

from audiocls import console
from audiocls.cli.options import JsonOption
from audiocls.studies.listing import parts


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="models, features, data, losses, optimizers, schedules, augment, metrics."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List parts: kind, name, origin, licence, what it is. Your own need no entry here."""
    known = parts(kind)
    if as_json:
        return console.show_json([asdict(each) for each in known])
    columns = ("kind", "name", "origin", "licence", "summary")
    rows = [tuple(str(getattr(each, column)) for column in columns) for each in known]
    console.show_table("Parts", columns, rows, text=columns)
    return None
