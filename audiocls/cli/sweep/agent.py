"""`audiocls sweep agent`: W&B agents on this machine, one per GPU or core."""

from typing import TYPE_CHECKING, Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import options as o

if TYPE_CHECKING:
    from audiocls.wandb_remote.push import Pushed
    from audiocls.wandb_remote.source import Ending


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
    ] = 3,
    study: o.StudyNameOption = None,
    trusted: o.TrustOption = None,
    places: o.PathOption = None,
) -> None:
    """Run what a W&B sweep orders until it has no more: one agent per GPU, or per core."""
    ending = audiocls.agent(
        sweep, runs=runs, devices=devices, workers=workers, count=count,
        max_failures=max_failures, study=study,
    )  # fmt: skip
    show_ending(ending)


def show_pushed(pushed: "Pushed") -> None:
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


def show_ending(ending: "Ending") -> None:
    """Show why the agents ended; exits by its code."""
    console.note(ending.sentence)
    if ending.exit_code:
        raise typer.Exit(ending.exit_code)
