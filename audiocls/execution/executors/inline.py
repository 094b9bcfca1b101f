"""`InlineExecutor`: trials in this process, one at a time; for debuggers and tests."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls.execution.devices import available_gpus, kind_of
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Event

if TYPE_CHECKING:
    from audiocls.training.fit import Signal


class InlineExecutor:
    """Trains inside `poll`; a trial stops after its epoch once `stop` is set."""

    def __init__(self, cache: Path, stop: threading.Event):
        from audiocls.execution.worker_cache import WorkerCache

        self._worker_cache = WorkerCache(cache)
        self._stop = stop
        self._waiting: list[NativeJob] = []
        self.kind = kind_of((available_gpus() or ["cpu"])[0])

    def num_free(self) -> int:
        return 1 - len(self._waiting)

    def submit(self, job: NativeJob) -> None:
        self._waiting.append(job)

    def end(self, trial_id: str) -> None:
        """Do nothing: the scheduler does not run while a trial trains here."""

    def _poll_signal(self) -> "Signal":
        from audiocls.training.fit import Signal

        return Signal.STOP if self._stop.is_set() else Signal.CONTINUE

    def poll(self, timeout_s: float) -> Sequence[Event]:
        import torch

        from audiocls.execution.trial import train_trial

        if not self._waiting:
            time.sleep(timeout_s)
        torch.set_num_threads(1)
        events: list[Event] = []
        while self._waiting:
            train_trial(self._waiting.pop(), self._worker_cache, events.append, self._poll_signal)
        return events

    def stop(self, grace_s: float) -> Sequence[Event]:
        return []
