"""What trials print: their logs, whole or as they grow."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from audiocls.errors import UsageError
from audiocls.store import StudyFolder
from audiocls.studies.named_trials import match_id
from audiocls.studies.status import at_work, status_of

LOOK_EVERY_S = 0.5
TAIL_LINES = 10
"""Of each log, where no trial was named."""
MOST_LOGS = 20


def log_lines(folder: StudyFolder, trial: str | None, is_followed: bool) -> Iterator[str]:
    """Yield the lines of one trial's log, or the last ones of all that run or have failed.

    With `is_followed` lines that are added follow, until no launch works on the study.

    Raises:
        UsageError: there is no such trial, or no log.
    """
    named = _named(folder, trial) if trial else _interesting(folder)
    logs = {folder.trial(key).log: title for key, title in named.items()}
    there = {log: title for log, title in logs.items() if log.exists()}
    if not there and not is_followed:
        what = f"trial {trial}" if trial else "any trial that runs or has failed"
        raise UsageError(f"{folder.name}: no log of {what}; finished ones are named by their id")
    return _lines(folder, there, logs, trial, is_followed)


def _named(folder: StudyFolder, trial: str) -> dict[str, str]:
    ids = [cell.id for cell in folder.cells()]
    trial_id = match_id(folder, trial, ids, "trial")
    return {trial_id: ""}


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
    for log, title in there.items():
        content = log.read_bytes()
        places[log] = len(content)
        lines = content.decode(errors="replace").splitlines()
        yield from [f"==> {title} <=="] if title else []
        yield from lines if trial else deque(lines, TAIL_LINES)
    while is_followed:
        is_over = not at_work(folder)
        if not trial:
            logs |= {folder.trial(key).log: title for key, title in _interesting(folder).items()}
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
