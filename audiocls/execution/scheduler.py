"""Scheduler loop: take trials from a source while the executor has free slots.

Failed trials are retried up to `limits.retries` times, trials whose worker died up to `MAX_LOSSES`
times. A trial is run under its lease: one that another launch holds is waited for.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from audiocls.errors import MachineFault
from audiocls.execution.claims import Claims, lose_attempt
from audiocls.execution.executors import Executor
from audiocls.execution.job import AnyJob
from audiocls.execution.messages import (
    Done,
    Ended,
    Epoch,
    Event,
    Extraction,
    Failed,
    Interrupted,
    Lost,
    Notice,
    Recorded,
    Running,
    Stage,
    Status,
    Underway,
    Watch,
)
from audiocls.execution.time_left import TimeLeft
from audiocls.execution.trial_notes import TrialNotes
from audiocls.execution.trial_source import SourceProgress, TrialSource
from audiocls.machine import fault_of
from audiocls.store import Failure
from audiocls.store.attempts import MAX_LOSSES
from audiocls.store.lease import LeaseLost

MAX_FIRST_FAILURES = 5
"""Failures without any success after which the program or the machine is taken to be at fault."""
POLL_S = 0.2
GRACE_S = 3.0
"""Between the stop signal and the kill, in seconds; Ctrl-C is to end within 5 seconds."""
STOPPING = "stopping: running epochs have {:g} s to end; press Ctrl-C to stop at once"

StoppedBy = Literal["signal", "budget", "failures", "machine", "devices"]


@dataclass(frozen=True)
class Limits:
    """When a launch gives up a trial, or as a whole."""

    max_s: float | None = None
    retries: int = 0
    """Times that a failed trial is retried, from its first epoch."""
    max_first_failures: int | None = None
    grace_s: float = GRACE_S
    """For an epoch to end after a request to stop, before its worker is killed."""


UNLIMITED = Limits()


@dataclass
class Launch:
    """One pass over the trials of a source, with its counts."""

    source: TrialSource
    watch: Watch
    limits: Limits = UNLIMITED
    num_done: int = 0
    num_failed: int = 0
    num_elsewhere: int = 0
    """Trials that other launches have finished meanwhile."""
    stopped_by: StoppedBy | None = None
    fault: str = ""
    """What of the machine failed first, after which no trial is started."""
    notes: TrialNotes = field(default_factory=TrialNotes)
    """What went wrong without harm, such as incomplete tracking."""
    retries: Counter[str] = field(default_factory=Counter)
    running: dict[str, Running] = field(default_factory=dict)
    claims: Claims = field(default_factory=Claims)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._jobs: dict[str, AnyJob] = {}
        self._retrying: deque[AnyJob] = deque()
        self._time_left = TimeLeft(time.monotonic)

    def drive(self, executor: Executor[Any], stop: threading.Event) -> None:
        """Run trials until the source is over, `stop` is set, or a limit is reached.

        The first fault of the machine stops it too, its own writing included.
        """
        try:
            while not self._is_over() and not self._is_stopped(stop):
                self._fill(executor)
                # What was left has ended elsewhere, or has to be trained on other devices.
                if self._is_idle() and (self.source.is_over() or self.claims.misfits):
                    break
                self._handle(executor.poll(POLL_S))
                for trial_id in self.source.trials_to_stop():
                    if not self.claims.request_end(trial_id):
                        executor.end(trial_id)
            if self._is_idle() and self.claims.misfits:
                self.stopped_by = self.stopped_by or "devices"
        except (OSError, MachineFault) as error:
            self._stop_by(fault_of(error), error)
        finally:
            self._close(executor)

    def _close(self, executor: Executor[Any]) -> None:
        try:
            if self.stopped_by == "signal" and self.running:
                self._publish([STOPPING.format(self.limits.grace_s)])
            try:
                self._handle(executor.stop(self.limits.grace_s))
            finally:
                self.claims.leave_all(self._jobs)
        except (OSError, MachineFault) as error:
            self._stop_by(fault_of(error), error)

    def _stop_by(self, fault: MachineFault | str | None, error: Exception | None = None) -> None:
        """Keep the first fault of the machine; raise an `error` that is none."""
        if error is not None and fault is None:
            raise error
        self.fault, self.stopped_by = self.fault or str(fault), "machine"

    def _is_over(self) -> bool:
        return self._is_idle() and self.source.is_over()

    def _is_idle(self) -> bool:
        return not self.running and not self._retrying and not self.claims.elsewhere

    def _is_stopped(self, stop: threading.Event) -> bool:
        max_failures = self.limits.max_first_failures
        if self.fault:
            return True
        if stop.is_set():
            self.stopped_by = "signal"
        elif self.limits.max_s is not None and self._elapsed() > self.limits.max_s:
            self.stopped_by = "budget"
        elif max_failures and not self.num_done and self.num_failed >= max_failures:
            self.stopped_by = "failures"
        return self.stopped_by is not None

    def _fill(self, executor: Executor[Any]) -> None:
        num_before = len(self.running)
        while executor.num_free() and (job := self._next()) is not None:
            self._jobs[job.id] = job
            self.running[job.id] = Running(job.label, 0, 0)
            self._time_left.start(job.id)
            executor.submit(job)
        if len(self.running) > num_before:
            self._publish(())

    def _next(self) -> AnyJob | None:
        """Return the next trial that can be run here; those that have ended elsewhere are told."""
        if self._retrying:
            return self._retrying.popleft()
        while (claimed := self.claims.next() or self._take()) is not None:
            if not isinstance(claimed, Done | Failed):
                return claimed
            self._settle(claimed)
        return None

    def _take(self) -> AnyJob | Done | Failed | None:
        """Return the next trial of the source that no other launch holds."""
        while (job := self.source.next()) is not None:
            self._jobs[job.id] = job
            if (claimed := self.claims.take(job)) is not None:
                return claimed
        return None

    def _settle(self, ended: Done | Failed) -> None:
        """Count a trial that has ended without having been run here."""
        self.num_elsewhere += isinstance(ended, Done)
        self.num_failed += isinstance(ended, Failed)
        self.source.tell(ended)
        if isinstance(ended, Failed):
            why = f"failed ({ended.cause}): {ended.message}"
            self._publish([f"{self._jobs[ended.id].label} {why}"])

    def _handle(self, events: Sequence[Event]) -> None:
        messages = [message for event in events if (message := self._account(event))]
        self._publish(messages)

    def _account(self, event: Event) -> str:
        """Count one event; return a message about it for people, or an empty text."""
        job = self._jobs[event.id]
        try:
            return self._count(job, event)
        except LeaseLost:
            return self._lose_lease(job)
        except (OSError, MachineFault) as error:  # the events of others are counted all the same
            self._stop_by(fault_of(error), error)
            return ""

    def _lose_lease(self, job: AnyJob) -> str:
        self.claims.lose(job)
        return f"{job.label}: another launch has taken it over"

    def _count(self, job: AnyJob, event: Event) -> str:
        self._time_left.tell(event)
        if isinstance(event, Notice):
            return f"{job.label}: {event.text}"
        if isinstance(event, Epoch | Stage | Extraction):
            self.running[event.id] = Running.after(job.label, event)
        if isinstance(event, Epoch | Stage | Recorded):
            self.source.tell(event)
        if isinstance(event, Underway):
            return ""
        self.running.pop(event.id, None)
        self._time_left.stop(event.id)
        if event.fault:
            self._stop_by(event.fault)
        if isinstance(event, Interrupted) and event.death:
            return self._lose(job, Lost(event.id, event.death, fault=event.fault))
        if isinstance(event, Lost):
            return self._lose(job, event)
        if isinstance(event, Failed):
            return self._fail(job, event)
        if isinstance(event, Interrupted) and event.is_taken:
            return self._lose_lease(job)
        self.claims.leave(job) if isinstance(event, Interrupted) else self.claims.give_back(job.id)
        self.source.tell(event)
        self.num_done += isinstance(event, Done)
        return self._note(job, event)

    def _note(self, job: AnyJob, event: Ended) -> str:
        is_new = bool(event.note) and self.notes.add(job.id, job.label, event.note)
        return f"{job.label}: {event.note}" if is_new else ""

    def _fail(self, job: AnyJob, event: Failed) -> str:
        self.retries[event.id] += 1
        why = f"{job.label} failed ({event.cause}): {event.message}"
        what = "; ".join(filter(None, [why, event.note]))
        if self.retries[event.id] <= self.limits.retries:
            job.trial.reset_failure()
            self._retrying.append(job)
            return f"{what}; retrying ({self.retries[event.id]} of {self.limits.retries})"
        self.claims.give_back(job.id)
        self.num_failed += 1
        self.source.tell(event)
        return what

    def _lose(self, job: AnyJob, event: Lost) -> str:
        if event.fault:
            self.claims.leave(job)
            return f"{job.label}: {event.how}"
        if (losses := lose_attempt(job)) < MAX_LOSSES:
            self._retrying.appendleft(job)
            where = "its last snapshot" if event.is_resumable else "its beginning"
            return f"{job.label}: {event.how}; resuming from {where}"
        message = f"{event.how}, {MAX_LOSSES} times"
        if job.trial.record() is not None:
            note = f"{message} after its record was written: its W&B run is incomplete"
            return self._count(job, Done(job.id, note))
        job.trial.fail(Failure(event.cause, message, "", losses))
        return self._fail(job, Failed(event.id, event.cause, message))

    def _elapsed(self) -> float:
        return time.monotonic() - self.started

    def _left_s(self, progress: SourceProgress) -> float | None:
        """Return the time that the rest will take, where that can be told."""
        if progress.num_total is None:
            return None
        num_here = self.num_done + self.num_failed
        num_missing = progress.num_total - progress.num_reused - num_here - self.num_elsewhere
        sharing = 1 + self.num_elsewhere / num_here if num_here else 1.0
        return self._time_left.left_s(num_missing, sharing)

    def _publish(self, messages: Sequence[str]) -> None:
        progress = self.source.progress()
        self.watch(
            Status(
                num_total=progress.num_total,
                num_done=progress.num_reused + self.num_done + self.num_elsewhere,
                num_reused=progress.num_reused,
                num_failed=self.num_failed,
                running=tuple(self.running.values()),
                elapsed_s=self._elapsed(),
                left_s=self._left_s(progress),
                stage=progress.stage,
                messages=tuple(messages),
            )
        )
