"""Executors: where trials are trained. Each takes work and tells events; none decides.

`inline` trains in this process, one trial after another; `local` keeps one worker per core or GPU;
`commands` runs anybody's program, a process group a trial.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from audiocls.execution.events import Event

W = TypeVar("W", contravariant=True)


class Executor(Protocol[W]):
    """A place with room for some trials at a time."""

    def num_free(self) -> int:
        """How many more trials may be submitted now."""

    def submit(self, work: W) -> None:
        """Start training; the outcome arrives through `poll`."""

    def poll(self, timeout_s: float) -> Sequence[Event]:
        """What has happened, in order; waits up to `timeout_s` for something to happen."""

    def end(self, trial_id: str) -> None:
        """Ask one trial to finish with what it has; its `Done` arrives through `poll`."""

    def stop(self, grace_s: float) -> Sequence[Event]:
        """Ask every trial to stop after its epoch, kill what has not by `grace_s`, and close."""
