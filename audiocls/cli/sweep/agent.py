"""`audiocls sweep agent`: W&B agents on this machine, one per GPU or core."""

from typing import Annotated

import typer

from audiocls import console
from audiocls.cli import options as o
from audiocls.console.progress import TerminalDisplay
from audiocls.studies.options import LaunchOptions
from audiocls.studies.request import AblationRequest, SweepRequest, check_folder_name
from audiocls.tracking.sweep_server import SweepPath
from audiocls.wandb_remote.push import Pushed
from audiocls.wandb_remote.register import own_names, pushed_for_launch
from audiocls.wandb_remote.serve import serve
from audiocls.wandb_remote.source import MOST_FAILURES, Ending


def agent(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="ENTITY/PROJECT/ID.")],
    runs: o.RunsOption = o.RUNS,
    devices: o.DevicesOption = "auto",
    workers: o.WorkersOption = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="At most N trials, over all agents here.")
    ] = None,
    max_failures: Annotated[
        int,
        typer.Option("--max-failures", min=0, help="Stop after N failures in a row; 0: never."),
    ] = MOST_FAILURES,
    study: o.StudyNameOption = None,
    trusted: o.TrustOption = None,
) -> None:
    """Run what a W&B sweep orders until it has no more: one agent per GPU, or per core."""
    check_folder_name(study)
    options = LaunchOptions(runs, "online", devices=devices, workers=workers)
    path, display = SweepPath.parse(sweep), TerminalDisplay()
    show_ending(serve(path, options, display, count, max_failures, study))


def run_on_server(request: AblationRequest | SweepRequest, options: LaunchOptions) -> None:
    """Create the sweep on the server, then run agents of it here (`--executor wandb`)."""
    display = TerminalDisplay()
    pushed = pushed_for_launch(request, options, display)
    show_pushed(pushed)
    show_ending(serve(pushed.sweep.path, options, display, known=own_names(request)))


def show_pushed(pushed: Pushed) -> None:
    """Show where a sweep is on the server, and how to run it."""
    sweep = pushed.sweep
    if pushed.replaced is not None:
        console.note(
            f"what was pushed before is another sweep now: {pushed.replaced} keeps its runs"
        )
    elif not pushed.is_new:
        console.note("the server has it already, unchanged")
    console.say(sweep.url)
    console.say(f"audiocls sweep agent {sweep.path}")
    console.say(f"wandb agent {sweep.path}")


def show_ending(ending: Ending) -> None:
    """Show why the agents ended; exits by its code."""
    console.note(ending.sentence)
    if ending.exit_code:
        raise typer.Exit(ending.exit_code)
