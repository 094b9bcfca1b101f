"""One trial as its page shows it: where it stands, what it logged last, the end of its log."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from audiocls.formatting import format_elapsed, format_value
from audiocls.live.cells import progress
from audiocls.live.watched import View
from audiocls.store import Cell, Failure, Proposal, State

TAIL_BYTES = 65536
TAIL_LINES = 200
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
"""Colours and cursor movements of terminals, and other control characters but tab and newline."""


@dataclass(frozen=True)
class TrialView:
    """What is known of one trial."""

    id: str
    label: str
    state: State
    progress: str
    facts: Mapping[str, str]
    """Numbers that it logged last, or its record's metrics and cost."""
    failure: Failure | None
    log: str
    """The last lines; empty where it wrote none."""
    log_file: str


def trial_view(view: View, trial_id: str) -> TrialView | None:
    """Return one trial of a study; `None` where the study has none of that id."""
    cell = next((cell for cell in view.cells if cell.id == trial_id), None)
    if cell is None:
        return None
    trial = view.status.folder.trial(cell.id)
    return TrialView(
        cell.id,
        view.label_of(cell),
        view.status.states[cell.id],
        progress(view, cell.id),
        _facts(view, cell),
        trial.failure() if view.status.states[cell.id] == "failed" else None,
        tail(trial.log),
        str(trial.log),
    )


def _facts(view: View, cell: Cell | Proposal) -> dict[str, str]:
    """Return the record's numbers, or what was logged last."""
    trial = view.status.folder.trial(cell.id)
    record = trial.record()
    if record is not None:
        return {name: format_value(value) for name, value in sorted(record.metrics.items())} | {
            "time": format_elapsed(record.cost.wall_s)
        }
    rows = trial.history()
    return {name: format_value(value) for name, value in rows[-1].items()} if rows else {}


def tail(file: Path) -> str:
    """Return the last lines of a log as plain text, with each line as it was written last.

    >>> import tempfile
    >>> log = Path(tempfile.mkdtemp(), "log.txt")
    >>> _ = log.write_bytes(b"epoch 1\\repoch 2\\n\\x1b[31mred\\x1b[0m\\n")
    >>> tail(log)
    'epoch 2\\nred'
    """
    try:
        with file.open("rb") as log:
            start = max(0, os.fstat(log.fileno()).st_size - TAIL_BYTES)
            log.seek(start)
            text = log.read(TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")[1 if start else 0 :]
    shown = (line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return "\n".join([ESCAPES.sub("", line) for line in shown][-TAIL_LINES:])
