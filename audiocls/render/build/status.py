"""How a launched study stands, as a document."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from audiocls.execution.slurm.commands import QueuedTask
from audiocls.render.document import Document, Title
from audiocls.render.table import Column, Table
from audiocls.store import State, count_states
from audiocls.studies.status import AtWork, Status


def status(
    known: Status,
    tuning: Mapping[str, Mapping[State, int]],
    damages: Sequence[str],
    at_work: Sequence[AtWork] = (),
    tasks: Sequence[QueuedTask] = (),
) -> Document:
    """Return the document: a row an arm, and the failures among its values."""
    arms, counts = known.arms, count_states(known.states)
    rows = []
    for arm in dict.fromkeys(arms.values()):
        of_arm = count_states({cell: known.states[cell] for cell in arms if arms[cell] == arm})
        rows.append((arm, *map(str, of_arm.values())))
    rows.append(("total", *map(str, counts.values())))
    columns = (Column("arm" if arms else "trials", "name"), *(Column(state) for state in counts))
    name = known.folder.name
    values: dict[str, Any] = {"study": name, "cells": counts, "failures": failures(known)}
    values |= {"tuning": dict(tuning)} if tuning else {}
    values |= {"damaged": list(damages)} if damages else {}
    values |= {"launches": [launch_values(at) for at in at_work]} if at_work else {}
    values |= {"tasks": [asdict(task) for task in tasks]} if tasks else {}
    blocks = (Title(name), Table(columns, tuple(rows), label=f"{name}-status"))
    return Document(f"{name}-status", blocks, lambda: values)


def launch_values(at: AtWork) -> dict[str, Any]:
    """Return a launch that works on the study as plain values."""
    job = {"job": at.launch.job} if at.launch.job else {}
    started, silent_s = at.launch.started, round(at.silent_s, 1)
    return {"who": at.launch.who, "started": started, "silent_s": silent_s, **job}


def failures(known: Status) -> list[dict[str, Any]]:
    """Return each failed trial as plain values."""
    return [
        {
            "id": cell.id,
            "arm": known.name_of(cell),
            **known.block_of(cell),
            "cause": known.failures[cell.id].cause,
            "message": known.failures[cell.id].message,
            "log": str(known.folder.trial(cell.id).log),
        }
        for cell in known.cells
        if cell.id in known.failures
    ]
