"""`audiocls sweep watch | logs`: a study that runs elsewhere, from this terminal."""

from contextlib import suppress
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import options as o
from audiocls.cli.sweep.status import show_status


def watch(name: o.StudyArgument, runs: o.RunsOption = o.RUNS) -> None:
    """Show a running study until it ends; Ctrl-C ends the watch alone."""
    with suppress(KeyboardInterrupt):
        show_status(audiocls.watch(name, runs=runs))


def logs(
    name: o.StudyArgument,
    trial: Annotated[
        str | None, typer.Argument(help="An id, or its beginning; default: all that run.")
    ] = None,
    is_followed: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until the study ends.")
    ] = False,
    runs: o.RunsOption = o.RUNS,
) -> None:
    """Print what a trial printed, or the last lines of those that run or have failed."""
    with suppress(KeyboardInterrupt):
        for line in audiocls.logs(name, trial, follow=is_followed, runs=runs):
            console.say(line)
