"""`audiocls sweep …`: studies before, while and after they run."""

import typer

from audiocls.cli.command_group import CommandGroup
from audiocls.cli.sweep import agent, importing, launch, library, plan, status, sync

app = typer.Typer(
    cls=CommandGroup, no_args_is_help=True, help="Studies: plan, launch, status, sync …"
)
app.command("list")(library.list_)
app.command()(library.show)
app.command()(plan.plan)
app.command()(launch.launch)
app.command()(status.status)
app.command()(status.watch)
app.command()(status.logs)
app.command()(status.retry)
app.command()(status.stop)
app.command()(agent.agent)
app.command()(sync.sync)
app.command("import")(importing.import_)
