"""What trials print: their logs, whole or as they grow."""

import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from audiocls.errors import UsageError
from audiocls.formatting import join_names
from audiocls.store import StudyFolder
from audiocls.store.submissions import Submissions
from audiocls.studies.named_trials import match_id
from audiocls.studies.slurm.tasks import Queue
from audiocls.studies.status import at_work, status_of, tuning_of

LOOK_EVERY_S = 0.5
TAIL_LINES = 10
"""Of each log, where no trial was named."""
MOST_LOGS = 20
TASK = re.compile(r"\d+_\d+")
"""The name of a task of a job array: its job, and its number in it."""


def log_lines(folder: StudyFolder, trial: str | None, is_followed: bool) -> Iterator[str]:
    """Yield the lines of one trial's log, or the last ones of all that run or have failed.

    With `is_followed` lines that are added follow, until no launch works on the study and no task
    of it is in a cluster's queue.

    Raises:
        UsageError: there is no such trial, or no log.
    """
    logs = _named(folder, trial) if trial else _logs(folder)
    there = {log: title for log, title in logs.items() if log.exists()}
    if not there and not is_followed:
        what = f"trial {trial}" if trial else "any trial that runs or has failed"
        raise UsageError(
            f"{folder.name}: no log of {what}; finished ones are named by their id{_tasks(folder)}"
        )
    return _lines(folder, there, logs, trial, is_followed)


def _named(folder: StudyFolder, trial: str) -> dict[Path, str]:
    """Return the log of one trial, or of a task of a job array such as `12_3`."""
    if TASK.fullmatch(trial):
        return {Submissions(folder.path).folder / f"{trial}.log": ""}
    ids = [cell.id for cell in folder.cells()]
    return {folder.trial(match_id(folder, trial, ids, "trial")).log: ""}


def _tasks(folder: StudyFolder) -> str:
    """Return how to see the logs of SLURM's tasks, if there are any."""
    submissions = Submissions(folder.path)
    logs = [log.stem for job in submissions.jobs()[-1:] for log in submissions.logs(job)]
    return f", logs of SLURM's tasks by theirs: {join_names(logs)}" if logs else ""


def _logs(folder: StudyFolder) -> dict[Path, str]:
    return {folder.trial(key).log: title for key, title in _interesting(folder).items()}


def _interesting(folder: StudyFolder) -> dict[str, str]:
    """Return id → title of the trials that run, or else of those that have failed, or all."""
    known = status_of(folder)
    for state in ("running", "failed", "done"):
        titles = {
            cell.id: f"{cell.id} ({known.name_of(cell)}, {state})"
            for cell in known.cells
            if known.states[cell.id] == state
        }
        if titles:
            return dict(list(titles.items())[-MOST_LOGS:])
    return {}


def _lines(
    folder: StudyFolder,
    there: dict[Path, str],
    logs: dict[Path, str],
    trial: str | None,
    is_followed: bool,
) -> Iterator[str]:
    places: dict[Path, int] = {}
    queue = Queue((folder, *tuning_of(folder)))
    for log, title in there.items():
        content = log.read_bytes()
        places[log] = len(content)
        lines = content.decode(errors="replace").splitlines()
        yield from [f"==> {title} <=="] if title else []
        yield from lines if trial else deque(lines, TAIL_LINES)
    while is_followed:
        is_over = not at_work(folder) and queue.is_empty()
        if not trial:
            logs |= _logs(folder)
        for log, title in logs.items():
            yield from _added(log, title, places)
        if is_over:
            return
        time.sleep(LOOK_EVERY_S)


def _added(log: Path, title: str, places: dict[Path, int]) -> Iterator[str]:
    """Yield the whole lines that a log has beyond its place, below its title."""
    if not log.exists():
        return
    with log.open("rb") as file:
        file.seek(places.get(log, 0))
        whole, newline, _ = file.read().rpartition(b"\n")
    places[log] = places.get(log, 0) + len(whole + newline)
    lines = whole.decode(errors="replace").splitlines()
    if lines:
        yield from [f"==> {title} <=="] if title else []
        yield from lines
