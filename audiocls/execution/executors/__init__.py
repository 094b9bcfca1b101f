"""Executors: where trials run. Each takes jobs and reports events; none decides.

`InlineExecutor` trains in this process, one trial after another; `LocalExecutor` keeps one worker
per core or GPU; `SubprocessExecutor` runs external programs, one process group a trial.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from audiocls.execution.messages import Event

J = TypeVar("J", contravariant=True)


class Executor(Protocol[J]):
    """Room for some trials at a time; `J` is the kind of job that it runs."""

    @property
    def kind(self) -> str:
        """Product name of its devices, which are of one kind; `cpu` for cores."""

    def num_free(self) -> int:
        """Return how many more trials may be submitted now."""

    def submit(self, job: J) -> None:
        """Start a trial; its events arrive through `poll`."""

    def poll(self, timeout_s: float) -> Sequence[Event]:
        """Return new events, in order; wait up to `timeout_s` for the first."""

    def end(self, trial_id: str) -> None:
        """Finish a trial early with its results so far; its `Done` arrives through `poll`."""

    def stop(self, grace_s: float) -> Sequence[Event]:
        """Stop every trial after its epoch, kill those left after `grace_s`, and close."""
