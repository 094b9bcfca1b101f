"""`audiocls parts`: what a recipe can name."""

import typer

from audiocls.cli.command_group import CommandGroup
from audiocls.cli.parts.listing import list_

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    help="Models, front ends, losses … that a recipe can name.",
)
app.command("list")(list_)
