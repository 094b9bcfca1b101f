"""`TrialSource`: where the scheduler gets its next trial from, by `next` and `tell`.

A plan knows all its trials beforehand, one that grows adds the next look's when the last has ended,
and a search proposes the next one from the results so far (all in `studies/sources`); a W&B server
orders them (`wandb_server/source.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from audiocls.execution.events import Event
from audiocls.execution.job import AnyJob


@dataclass(frozen=True)
class SourceProgress:
    """How many trials a source has, as far as that is known."""

    num_total: int | None = None
    """Those that were finished before included."""
    num_reused: int = 0
    """Trials that were finished before this launch."""
    stage: str = ""
    """Which part of the study is run, such as `look 2`."""


class TrialSource(Protocol):
    """Names the trials to run, and takes account of their results."""

    def next(self) -> AnyJob | None:
        """Return a trial to start now, or none at the moment."""

    def is_over(self) -> bool:
        """Whether no further trial will come once those that run have ended."""

    def tell(self, event: Event) -> None:
        """Take account of an executor's event on a trial."""

    def trials_to_stop(self) -> Sequence[str]:
        """Return ids of running trials to end early; each is returned once."""

    def progress(self) -> SourceProgress:
        """Return how many trials there are, for people."""
