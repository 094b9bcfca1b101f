"""`Glance`: the states of a study's trials, read again only where a file came or went.

Ten thousand trials are looked at in a tenth of a second: a trial's folder is opened when its time
changed, and its record is not read. So a record that is damaged counts as *done* here, until
whoever reads it finds out; all else is as `StudyFolder.states` has it.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from audiocls.store.proposals import Proposal
from audiocls.store.record import Cell
from audiocls.store.study import StudyFolder
from audiocls.store.trial import FAILURE, LEASE, RECORD, State, TrialFolder

SETTLED_NS = 2_000_000_000
"""Age from which a folder's time tells of every change: clocks of file systems are coarse."""


class _Seen(NamedTuple):
    changed_ns: int
    state: State
    is_lasting: bool
    """Whether nothing but a change of the folder can change the state."""


@dataclass
class Glance:
    """What was seen of one study's trials so far."""

    folder: StudyFolder
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def states(self, cells: Iterable[Cell | Proposal]) -> dict[str, State]:
        """Return trial id → state, as it is now."""
        now, changed = time.time_ns(), _times_in(self.folder.path / "trials")
        return {cell.id: self._state(cell.id, changed.get(cell.id), now) for cell in cells}

    def changes(self) -> dict[str, int]:
        """Return trial id → when its folder changed last, in nanoseconds, as it was seen last."""
        return {trial_id: seen.changed_ns for trial_id, seen in self._seen.items()}

    def _state(self, trial_id: str, changed_ns: int | None, now: int) -> State:
        if changed_ns is None:
            self._seen.pop(trial_id, None)
            return "pending"
        seen = self._seen.get(trial_id)
        if seen is None or seen.changed_ns != changed_ns or not seen.is_lasting:
            state, is_leased = _look(self.folder.path / "trials" / trial_id)
            is_lasting = not is_leased and now - changed_ns > SETTLED_NS
            seen = self._seen[trial_id] = _Seen(changed_ns, state, is_lasting)
        return seen.state


def _times_in(folder: Path) -> dict[str, int]:
    """Return the name of each entry and when it changed; none where there is no folder yet."""
    times: dict[str, int] = {}
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # removed meanwhile
                times[entry.name] = entry.stat().st_mtime_ns
    return times


def _look(trial: Path) -> tuple[State, bool]:
    """Return the state by which files there are, and whether it rests on a lease."""
    if (trial / RECORD).exists():
        return "done", False
    if (trial / FAILURE).exists():
        return "failed", False
    if not (trial / LEASE).exists():
        return "pending", False
    return "pending" if TrialFolder(trial).holder() is None else "running", True
