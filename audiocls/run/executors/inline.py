"""`Inline`: trials in this process, one at a time; for debuggers, tests and single cores."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls.run.events import Event
from audiocls.run.task import Task

if TYPE_CHECKING:
    from audiocls.train.fit import Signal


class Inline:
    """Trains when polled, since there is nobody else to do it."""

    def __init__(self, cache: Path, stop: threading.Event):
        from audiocls.run.warm import Warm

        self._warm = Warm(cache)
        self._stop = stop
        self._waiting: list[Task] = []

    def num_free(self) -> int:
        return 1 - len(self._waiting)

    def submit(self, task: Task) -> None:
        self._waiting.append(task)

    def end(self, trial_id: str) -> None:
        """Nobody can ask while a trial is training here: it is trained to its end."""

    def _wish(self) -> "Signal":
        from audiocls.train.fit import Signal

        return Signal.STOP if self._stop.is_set() else Signal.GO

    def poll(self, timeout_s: float) -> Sequence[Event]:
        import torch

        from audiocls.run.trial import train_trial

        torch.set_num_threads(1)
        told: list[Event] = []
        while self._waiting:
            train_trial(self._waiting.pop(), self._warm, told.append, self._wish)
        return told

    def stop(self, grace_s: float) -> Sequence[Event]:
        return []
