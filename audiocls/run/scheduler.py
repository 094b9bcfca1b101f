"""The scheduler: every missing trial once, on whatever the executor has room for.

It decides nothing but what comes next: finished trials are reused, failed ones are left alone
(`retry` makes them pending again), a trial whose worker died is tried again a few times.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from audiocls.run.events import Done, Epoch, Event, Failed, Lost, Stage
from audiocls.run.executors import Executor
from audiocls.run.status import Running, Status
from audiocls.run.task import Task
from audiocls.store import Failure

MAX_LOSSES = 3
"""Workers that one trial may lose before it counts as failed."""
POLL_S = 0.2
GRACE_S = 3.0
"""Between the wish to stop and the kill; Ctrl-C is to end within 5 seconds."""

StoppedBy = Literal["signal", "budget"]
Watch = Callable[[Status], None]


@dataclass
class Launch:
    """One pass over the missing trials of a study."""

    tasks: Sequence[Task]
    num_reused: int
    watch: Watch
    num_done: int = 0
    num_failed: int = 0
    stopped_by: StoppedBy | None = None
    epochs_done: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    running: dict[str, Running] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._by_id = {task.cell.id: task for task in self.tasks}
        self._waiting = deque(self.tasks)

    def drive(self, executor: Executor, stop: threading.Event, max_s: float | None) -> None:
        """Until nothing is missing, somebody wants to stop, or `max_s` seconds have passed."""
        try:
            self._tell(())
            while (self._waiting or self.running) and not self._is_stopped(stop, max_s):
                while self._waiting and executor.num_free():
                    self._submit(executor, self._waiting.popleft())
                self._hear(executor.poll(POLL_S))
        finally:
            self._hear(executor.stop(GRACE_S))

    def _is_stopped(self, stop: threading.Event, max_s: float | None) -> bool:
        if stop.is_set():
            self.stopped_by = "signal"
        elif max_s is not None and self._elapsed() > max_s:
            self.stopped_by = "budget"
        return self.stopped_by is not None

    def _submit(self, executor: Executor, task: Task) -> None:
        self.running[task.cell.id] = Running(task.label, 0, 0)
        executor.submit(task)

    def _hear(self, told: Sequence[Event]) -> None:
        messages = [message for event in told if (message := self._take(event))]
        self._tell(messages)

    def _take(self, event: Event) -> str:
        """Account for one event; answers what people should read of it."""
        task = self._by_id[event.id]
        if isinstance(event, Epoch | Stage):
            is_stage = isinstance(event, Stage)
            self.epochs_done += not is_stage
            told = Running(task.label, event.epoch, event.num_epochs, is_stage)
            self.running[event.id] = told
            return ""
        self.running.pop(event.id, None)
        if isinstance(event, Done):
            self.num_done += 1
            return f"{task.label}: {event.note}" if event.note else ""
        if isinstance(event, Failed):
            self.num_failed += 1
            return f"{task.label} failed ({event.cause}): {event.message}"
        return self._lose(task, event) if isinstance(event, Lost) else ""

    def _lose(self, task: Task, event: Lost) -> str:
        self.losses[event.id] += 1
        if self.losses[event.id] < MAX_LOSSES:
            self._waiting.appendleft(task)
            return f"{task.label}: {event.how}; going on from its last epoch"
        message = f"{event.how}, {MAX_LOSSES} times"
        task.trial.fail(Failure("signal", message, "", self.losses[event.id]))
        self.num_failed += 1
        return f"{task.label} failed (signal): {message}"

    def _elapsed(self) -> float:
        return time.monotonic() - self.started

    def _left_s(self) -> float | None:
        """From the pace so far, counted in epochs of trials; unknown as long as all pre-train."""
        training = [trial for trial in self.running.values() if not trial.is_pretraining]
        num_epochs = max((trial.num_epochs for trial in training), default=0)
        if not self.epochs_done or not num_epochs:
            return None
        unfinished = sum(num_epochs - trial.epoch for trial in training)
        unfinished += num_epochs * (len(self.running) - len(training))
        unfinished += num_epochs * len(self._waiting)
        return unfinished * self._elapsed() / self.epochs_done

    def _tell(self, messages: Sequence[str]) -> None:
        self.watch(
            Status(
                num_total=self.num_reused + len(self.tasks),
                num_done=self.num_reused + self.num_done,
                num_reused=self.num_reused,
                num_failed=self.num_failed,
                running=tuple(self.running.values()),
                elapsed_s=self._elapsed(),
                left_s=self._left_s(),
                messages=tuple(messages),
            )
        )
