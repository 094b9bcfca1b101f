"""`audiocls ablation list | show | new | plan | register`: questions before anything runs."""

import typer

from audiocls.cli.ablation import commands
from audiocls.cli.command_group import CommandGroup
from audiocls.cli.sweep.plan import plan

app = typer.Typer(
    cls=CommandGroup, no_args_is_help=True, help="Ablations: list, show, new, plan, register."
)
app.command("list")(commands.list_)
app.command()(commands.show)
app.command()(commands.new)
app.command()(plan)
app.command()(commands.register)
