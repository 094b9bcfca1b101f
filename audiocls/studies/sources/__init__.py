"""Sources of a study's trials: a fixed plan, a plan that grows look by look, a search.

A W&B server is one more source (`wandb_remote/source.py`), of trials of several studies.
"""

from collections.abc import Mapping
from typing import Protocol

from audiocls.execution.trial_source import TrialSource
from audiocls.store import State, Study


class StudySource(TrialSource, Protocol):
    """A source of one study's trials that reports their states."""

    def has_next(self) -> bool:
        """Whether there is a trial to start now."""

    def states(self) -> Mapping[str, State]:
        """Return the state of every trial of this launch, by trial id."""

    @property
    def study(self) -> Study:
        """The study as it is now, with what was added to it."""

    @property
    def max_parallel(self) -> int | None:
        """The most trials that can run at a time; `None` if unknown."""
