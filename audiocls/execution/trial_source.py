"""Where the scheduler gets its trials from.

A plan knows all its trials beforehand (`FixedSource`), a search proposes the next one from the
results so far (`studies/sources/search.py`), a W&B agent gets it from a server
(`wandb_server/source.py`).
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Event


class TrialSource(Protocol):
    """Says which trial comes next, and gets the events of those that it gave."""

    def next(self) -> AnyJob | None:
        """Return a trial to start now, or `None` if there is none at the moment."""

    def is_over(self) -> bool:
        """Whether no further trial will come once the running ones have ended."""

    def tell(self, event: Event) -> None:
        """Take note of an event of a running trial."""

    def trials_to_stop(self) -> Sequence[str]:
        """Return ids of running trials to be finished early; each id is returned once."""


class FixedSource:
    """Trials that are all known beforehand, in their order; none is finished early."""

    def __init__(self, jobs: Sequence[AnyJob]):
        self._waiting = deque(jobs)

    def next(self) -> AnyJob | None:
        return self._waiting.popleft() if self._waiting else None

    def is_over(self) -> bool:
        return not self._waiting

    def tell(self, event: Event) -> None:
        """Ignore the event: a plan does not depend on results."""

    def trials_to_stop(self) -> Sequence[str]:
        return ()
