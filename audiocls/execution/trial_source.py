"""`TrialSource`: where the scheduler gets its trials from, by `next` and `tell`.

A plan knows all its trials beforehand, one that grows adds the next look's when the last has ended,
a search proposes the next one from the results so far (all in `studies/sources`); a W&B server
orders them (`wandb_remote/source.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Event


@dataclass(frozen=True)
class SourceProgress:
    """How many trials a source has, as far as that is known."""

    num_total: int | None = None
    """Including those that were finished before."""
    num_reused: int = 0
    """Trials that were finished before this launch."""
    stage: str = ""
    """Which part of the study is run, such as `look 2`."""


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

    def progress(self) -> SourceProgress:
        """Return how many trials there are, for people."""
