"""`audiocls sweep status | retry | stop`: where a launched study stands, and what to do then."""

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
    if not stopped.asked:
        return console.say(f"{stopped.study} is not running.")
    again = f"Resume with: {stopped.command}"
    if stopped.left:
        who = ", ".join(launch.who for launch in stopped.left)
        return console.say(f"asked to stop, and not through with its epoch: {who}. {again}")
    return console.say(f"stopped: {', '.join(launch.who for launch in stopped.asked)}. {again}")
