"""`audiocls data`: list, download, validate, generate and write down data sets."""

import typer

from audiocls.cli.command_group import CommandGroup
from audiocls.cli.data.check import check
from audiocls.cli.data.manifest import manifest
from audiocls.cli.data.sources import fetch, list_, make

app = typer.Typer(
    cls=CommandGroup, no_args_is_help=True, help="Data sets: list, fetch, check, make, manifest."
)
app.command("list")(list_)
app.command()(fetch)
app.command()(check)
app.command()(make)
app.command()(manifest)
