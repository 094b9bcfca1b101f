"""Executors: where trials are trained. Each takes tasks and tells events; none decides.

`inline` trains in this process, one trial after another; `local` keeps one worker per core or GPU.
"""

from collections.abc import Sequence
from typing import Protocol

from audiocls.run.events import Event
from audiocls.run.task import Task


class Executor(Protocol):
    """A place with room for some trials at a time."""

    def num_free(self) -> int:
        """How many more tasks may be submitted now."""

    def submit(self, task: Task) -> None:
        """Start training; the outcome arrives through `poll`."""

    def poll(self, timeout_s: float) -> Sequence[Event]:
        """What has happened, in order; waits up to `timeout_s` for something to happen."""

    def stop(self, grace_s: float) -> Sequence[Event]:
        """Ask every trial to stop after its epoch, kill what has not by `grace_s`, and close."""
