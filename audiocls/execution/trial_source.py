"""Supplies: where the scheduler gets its next trial from.

A plan knows all its trials beforehand (`FixedSource`), a search proposes the next one from what was
tried (`studies/sources/search.py`), a W&B agent is told by a server (`wandb_server/source.py`).
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from audiocls.execution.events import Event
from audiocls.execution.job import AnyJob


class TrialSource(Protocol):
    """Says what comes next, and hears what became of it."""

    def next(self) -> AnyJob | None:
        """A trial to start now, or none at the moment."""

    def is_over(self) -> bool:
        """Whether nothing more will come, once what is running has ended."""

    def tell(self, event: Event) -> None:
        """What an executor has told of a trial."""

    def trials_to_stop(self) -> Sequence[str]:
        """Running trials that have seen enough, by their ids; each is named once."""


class FixedSource:
    """Trials that are all known beforehand, in their order; none is ended early."""

    def __init__(self, jobs: Sequence[AnyJob]):
        self._waiting = deque(jobs)

    def next(self) -> AnyJob | None:
        return self._waiting.popleft() if self._waiting else None

    def is_over(self) -> bool:
        return not self._waiting

    def tell(self, event: Event) -> None:
        """A plan does not depend on results."""

    def trials_to_stop(self) -> Sequence[str]:
        return ()
