"""`audiocls parts`: what a recipe can name."""

import typer

from audiocls.cli.parts.listing import list_

app = typer.Typer(no_args_is_help=True, help="Models, front ends, losses … that a recipe can name.")
app.command("list")(list_)
