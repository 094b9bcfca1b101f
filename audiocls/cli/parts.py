"""`audiocls parts`: what a recipe can name, shipped and of installed plugins."""

from typing import Annotated

import typer

import audiocls
from audiocls.cli import completion
from audiocls.cli import options as o
from audiocls.cli.command_group import CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    help="Models, front ends, losses … that a recipe can name.",
)


@app.command("list")
def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            autocompletion=completion.kinds_of_parts,
            help="models, features, data, losses, optimizers, schedules, augment, metrics.",
        ),
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """List parts: kind, name, origin, licence, what it is. Your own need no entry here."""
    o.show_catalogue(audiocls.list_parts(kind), as_json)
