"""Supplies: where the scheduler gets its next trial from.

A plan knows all its trials beforehand (`Planned`), a search proposes the next one from what was
tried (`run/searching.py`), a W&B agent is told by a server (`run/server/agents.py`).
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from audiocls.run.events import Event
from audiocls.store import TrialFolder


class Work(Protocol):
    """One trial to be run: a `Task` of our own, or a `Command` of somebody else's program."""

    @property
    def id(self) -> str:
        """The trial's."""

    @property
    def label(self) -> str:
        """What differs from the other trials of the study."""

    @property
    def trial(self) -> TrialFolder:
        """Where it leaves what it finds."""


class Supply(Protocol):
    """Says what comes next, and hears what became of it."""

    def next(self) -> Work | None:
        """A trial to start now, or none at the moment."""

    def is_over(self) -> bool:
        """Whether nothing more will come, once what is running has ended."""

    def hear(self, event: Event) -> None:
        """What an executor has told of a trial."""

    def to_end(self) -> Sequence[str]:
        """Running trials that have seen enough, by their ids; each is named once."""


class Planned:
    """Trials that are all known beforehand, in their order; none is ended early."""

    def __init__(self, works: Sequence[Work]):
        self._waiting = deque(works)

    def next(self) -> Work | None:
        return self._waiting.popleft() if self._waiting else None

    def is_over(self) -> bool:
        return not self._waiting

    def hear(self, event: Event) -> None:
        """A plan does not depend on results."""

    def to_end(self) -> Sequence[str]:
        return ()
