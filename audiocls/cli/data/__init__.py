"""`audiocls data`: list, download, validate, generate and write down data sets."""

import typer

from audiocls.cli.command_group import CommandGroup
from audiocls.cli.data import commands

app = typer.Typer(
    cls=CommandGroup, no_args_is_help=True, help="Data sets: list, fetch, check, make, manifest."
)
app.command("list")(commands.list_)
app.command()(commands.fetch)
app.command()(commands.check)
app.command()(commands.make)
app.command()(commands.manifest)
