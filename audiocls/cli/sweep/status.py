"""`audiocls sweep status | watch | logs | retry | stop`: a launched study, from any terminal."""

from contextlib import suppress
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import options as o
from audiocls.render.output import show


def status(
    name: o.StudyArgument, runs: o.RunsOption = o.RUNS, as_json: o.JsonOption = False
) -> None:
    """Show how many cells are done, failed, running and pending."""
    known = audiocls.status(name, runs=runs)
    if as_json:
        return console.show_json(known.report.data())
    return show_status(known)


def show_status(known: "audiocls.Status") -> None:
    """Print how a study stands, and what is to be known beside that."""
    show(known.report.document)
    for text in known.notes:
        console.note(text)


def watch(name: o.StudyArgument, runs: o.RunsOption = o.RUNS) -> None:
    """Show a running study until it ends; Ctrl-C ends the watch alone."""
    with suppress(KeyboardInterrupt):
        show_status(audiocls.watch(name, runs=runs))


def logs(
    name: o.StudyArgument,
    trial: Annotated[
        str | None,
        typer.Argument(
            help="An id, or its beginning; a SLURM task such as 12_3; default: all that run."
        ),
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


def retry(
    name: o.StudyArgument,
    runs: o.RunsOption = o.RUNS,
    arms: o.ArmsOption = None,
) -> None:
    """Make failed and damaged cells pending again; the next launch trains them."""
    retried = audiocls.retry(name, arms=arms, runs=runs)
    for damage in retried.damages:
        console.note(str(damage))
    failed, damaged = retried.num_failed, len({each.path.parent for each in retried.damages})
    parts = [f"{failed} failed"] * (failed > 0) + [f"{damaged} damaged"] * (damaged > 0)
    verb = "cells are" if failed + damaged > 1 else "cell is"
    train = f"{' and '.join(parts)} {verb} pending again. Train: {retried.command}"
    console.say(train if parts else f"{retried.study} has no failed cell.")


def stop(name: o.StudyArgument, runs: o.RunsOption = o.RUNS) -> None:
    """Stop all launches of a study, on this machine or another, as Ctrl-C there would."""
    stopped = audiocls.stop(name, runs=runs)
    for text in stopped.queue_notes:
        console.note(text)
    again = f"Resume with: {stopped.command}"
    if not stopped.asked:
        more = f" {again}" if stopped.cancelled else ""
        return console.say(f"{stopped.study} is not running.{more}")
    if stopped.left:
        who = ", ".join(launch.who for launch in stopped.left)
        return console.say(f"asked to stop, and still finishing an epoch: {who}. {again}")
    return console.say(f"stopped: {', '.join(launch.who for launch in stopped.asked)}. {again}")
