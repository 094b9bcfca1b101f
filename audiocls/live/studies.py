"""`Studies`: all studies below one folder, by the names that a page may ask for."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from audiocls.errors import AudioclsError
from audiocls.live.watched import Watched
from audiocls.store import State, StudyFolder

LOOK_S = 0.4
"""For counting trials of studies in a list; those left follow with the next look."""


@dataclass(frozen=True)
class Listed:
    """A line of the list."""

    name: str
    kind: str
    question: str
    is_running: bool
    counts: dict[State, int] | None
    """`None` where it was not looked at yet."""
    fault: str = ""
    """Why it cannot be read."""


class Studies:
    """The studies of one folder; each is watched from the first time that it is asked for."""

    def __init__(self, runs: Path):
        self.runs = runs
        self._watched: dict[str, Watched] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Return the names of all studies, the one that was begun last first."""
        dated: list[tuple[float, str]] = []
        with suppress(FileNotFoundError), os.scandir(self.runs) as entries:
            for entry in entries:
                with suppress(OSError):
                    dated.append((Path(entry.path, "study.yaml").stat().st_mtime, entry.name))
        return [name for _, name in sorted(dated, reverse=True)]

    def named(self, name: str) -> Watched | None:
        """Return a study by its name; `None` for any other text, whatever path it may be."""
        if name not in self.names():
            return None
        with self._lock:
            return self._watched.setdefault(name, Watched(StudyFolder(self.runs / name)))

    def listed(self) -> Iterator[Listed]:
        """Yield a line for each study."""
        until = time.monotonic() + LOOK_S
        for name in self.names():
            watched = self.named(name)
            if watched is not None:
                yield _line(watched, time.monotonic() < until)


def _line(watched: Watched, is_looked_at: bool) -> Listed:
    name = watched.folder.name
    if not is_looked_at and not watched.is_known:
        return Listed(name, "", "", False, None)
    try:
        plan, counts = watched.plan(), watched.counts()
    except AudioclsError as error:
        return Listed(name, "", "", False, None, str(error))
    return Listed(name, plan.kind, plan.question, watched.is_running(), counts)
