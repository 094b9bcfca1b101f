"""`audiocls recipe list | show | copy`: what an ablation or a training starts from."""

import typer

from audiocls.cli.command_group import CommandGroup
from audiocls.cli.recipe import commands

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="Recipes: list, show, copy.")
app.command("list")(commands.list_)
app.command()(commands.show)
app.command()(commands.copy)
