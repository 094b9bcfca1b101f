"""`audiocls sweep status | retry | stop`: where a launched study stands, and what to do then."""

from collections.abc import Sequence

from audiocls import console
from audiocls.cli import options as o
from audiocls.formatting import command_line
from audiocls.store import count_states
from audiocls.store.lease import LEASE_S
from audiocls.studies import status as studies


def status(
    name: o.StudyArgument, runs: o.RunsOption = o.RUNS, as_json: o.JsonOption = False
) -> None:
    """Show how many cells are done, failed, running and pending."""
    status = studies.status_of(studies.open_begun(name, runs))
    tuning = {
        each.name: count_states(studies.status_of(each).states)
        for each in studies.tuning_of(status.folder)
    }
    damages = studies.damage_notes(status.folder, status.cells)
    at_work = studies.at_work(status.folder)
    if as_json:
        facts = {"study": status.folder.name, "cells": count_states(status.states)}
        known = {"failures": _failures(status), **({"tuning": tuning} if tuning else {})}
        known |= {"damaged": damages} if damages else {}
        known |= {"launches": _launches(at_work)} if at_work else {}
        return console.show_json({**facts, **known})
    _show_table(status)
    for at in at_work:
        silent = f", silent for {at.silent_s:.0f} s" if at.silent_s > LEASE_S else ""
        console.note(f"at work since {at.launch.started}: {at.launch.who}{silent}")
    for text in studies.failure_notes(status.folder) if status.failures else ():
        console.note(text)
    for text in damages:
        console.note(text)
    for study, counts in tuning.items():
        text = ", ".join(f"{count} {state}" for state, count in counts.items())
        console.note(f"tuning: {text}; more: {command_line('sweep', 'status', study, runs=runs)}")
    return None


def _show_table(status: studies.Status) -> None:
    arms, rows = status.arms, []
    for arm in dict.fromkeys(arms.values()):
        of_arm = count_states({cell: status.states[cell] for cell in arms if arms[cell] == arm})
        rows.append((arm, *(str(count) for count in of_arm.values())))
    counts = count_states(status.states)
    rows.append(("total", *(str(count) for count in counts.values())))
    kind = "arm" if arms else "trials"
    console.show_table(status.folder.name, (kind, *counts), rows, text=(kind,))


def _launches(at_work: Sequence[studies.AtWork]) -> list[dict[str, object]]:
    return [
        {"who": at.launch.who, "started": at.launch.started, "silent_s": round(at.silent_s, 1)}
        for at in at_work
    ]


def _failures(status: studies.Status) -> list[dict[str, object]]:
    return [
        {
            "id": cell.id,
            "arm": status.name_of(cell),
            **status.block_of(cell),
            "cause": status.failures[cell.id].cause,
            "message": status.failures[cell.id].message,
            "log": str(status.folder.trial(cell.id).log),
        }
        for cell in status.cells
        if cell.id in status.failures
    ]


def retry(
    name: o.StudyArgument,
    runs: o.RunsOption = o.RUNS,
    arms: o.ArmsOption = None,
) -> None:
    """Make failed and damaged cells pending again; the next launch trains them."""
    folder = studies.open_begun(name, runs)
    retried = studies.retry_failed(folder, arms)
    for damage in retried.damages:
        console.note(str(damage))
    failed, damaged = retried.num_failed, len({each.path.parent for each in retried.damages})
    parts = [f"{failed} failed"] * (failed > 0) + [f"{damaged} damaged"] * (damaged > 0)
    verb = "cells are" if failed + damaged > 1 else "cell is"
    train = f"{' and '.join(parts)} {verb} pending again. "
    train += f"Train: {studies.launch_command(folder)}"
    console.say(train if parts else f"{folder.name} has no failed cell.")


def stop(name: o.StudyArgument, runs: o.RunsOption = o.RUNS) -> None:
    """Stop all launches of a study, on this machine or another, as Ctrl-C there would."""
    folder = studies.open_begun(name, runs)
    stopped = studies.stop_launches(folder)
    if not stopped.asked:
        return console.say(f"{folder.name} is not running.")
    again = f"Resume with: {studies.launch_command(folder)}"
    if stopped.left:
        who = ", ".join(launch.who for launch in stopped.left)
        return console.say(f"asked to stop, and not through with its epoch: {who}. {again}")
    return console.say(f"stopped: {', '.join(launch.who for launch in stopped.asked)}. {again}")
