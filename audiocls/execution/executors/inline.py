"""`InlineExecutor`: trials in this process, one at a time; for debuggers and tests."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls.execution.events import Event
from audiocls.execution.job import NativeJob

if TYPE_CHECKING:
    from audiocls.training.fit import Signal


class InlineExecutor:
    """Trains when polled, since there is nobody else to do it."""

    def __init__(self, cache: Path, stop: threading.Event):
        from audiocls.execution.worker_cache import WorkerCache

        self._warm = WorkerCache(cache)
        self._stop = stop
        self._waiting: list[NativeJob] = []

    def num_free(self) -> int:
        return 1 - len(self._waiting)

    def submit(self, job: NativeJob) -> None:
        self._waiting.append(job)

    def end(self, trial_id: str) -> None:
        """Nobody can ask while a trial is training here: it is trained to its end."""

    def _wish(self) -> "Signal":
        from audiocls.training.fit import Signal

        return Signal.STOP if self._stop.is_set() else Signal.CONTINUE

    def poll(self, timeout_s: float) -> Sequence[Event]:
        import torch

        from audiocls.execution.trial import train_trial

        torch.set_num_threads(1)
        told: list[Event] = []
        while self._waiting:
            train_trial(self._waiting.pop(), self._warm, told.append, self._wish)
        return told

    def stop(self, grace_s: float) -> Sequence[Event]:
        return []
