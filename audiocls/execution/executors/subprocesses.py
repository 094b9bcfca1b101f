"""`SubprocessExecutor`: an external program as a trial, one at a time on each core or GPU.

What a program logs to W&B is read from the files of its run, online or offline, while it runs.
Every program leads a process group, and is ended with all its children; should this process be
killed, a `ProcessReaper` ends them. The moment between a start and its report to the reaper is not
covered.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence

from audiocls.errors import MachineFault
from audiocls.execution.devices import Slots, kind_of
from audiocls.execution.external.command import (
    command_line,
    program_environment,
    runs_folder,
    write_parameters,
)
from audiocls.execution.external.outcome import CommandAttempt, StopReason, failed, outcome
from audiocls.execution.external.output import Announcements
from audiocls.execution.external.program import Program
from audiocls.execution.external.reaper import ProcessReaper
from audiocls.execution.external.result import drop_results
from audiocls.execution.job import CommandJob
from audiocls.execution.messages import Done, Epoch, Event, Failed, Interrupted
from audiocls.execution.provenance import now
from audiocls.machine import fault_of
from audiocls.store.lease import LeaseLost
from audiocls.tracking import run_id_of
from audiocls.tracking.wandb.log import RunLogs, numbers

KILL_DELAY_S = 30.0
"""From SIGTERM to SIGKILL, in seconds: what W&B's agent allows a program."""
KILL_LASTS_S = 2.0
"""Seconds to wait after SIGKILL; a process blocked on I/O may never exit."""
LOOK_EVERY_S = 0.05
READ_EVERY_S = 0.5
CANNOT_KEEP = "its files cannot be kept"


class RunningProgram:
    """A program in its slot."""

    def __init__(self, attempt: CommandAttempt, program: Program, slot: int):
        self.attempt, self.program, self.slot = attempt, program, slot
        self.is_over = False
        self._stop_reason: StopReason | None = None
        self._kill_at = float("inf")
        self._read_at = 0.0
        self._num_values = 0
        self._value: float | None = None
        """Of the metric, logged last."""

    def request_stop(self, reason: StopReason, grace_s: float) -> None:
        """Send SIGTERM, once; kill it after `grace_s`, or earlier if an earlier request said so."""
        self._kill_at = min(self._kill_at, time.monotonic() + grace_s)
        if self._stop_reason is None:
            self._stop_reason = reason
            self.program.signal(signal.SIGTERM)

    def enforce_time_limit(self, grace_s: float) -> None:
        """Send SIGTERM after `timeout_s`, and SIGKILL when the grace period of a stop is over."""
        timeout_s = self.attempt.job.spec.timeout_s
        if timeout_s is not None and self.program.age_s > timeout_s and not self._stop_reason:
            self.request_stop("timeout", grace_s)
        if time.monotonic() > self._kill_at:
            self.program.signal(signal.SIGKILL)

    def poll(self) -> list[Event]:
        """Return new events; the last one is the end of the trial once `is_over`."""
        end = self.program.poll()
        self.is_over = end is not None
        if end is not None:
            events = self._read_metrics()
            if self.attempt.adopt_run():
                events += self._read_metrics()
            self.attempt.leave_offline_sweep()
            return [*events, outcome(self.attempt, self._stop_reason, end)]
        if time.monotonic() < self._read_at:
            return []
        self._read_at = time.monotonic() + READ_EVERY_S
        self.attempt.job.trial.require_mine()
        if self.attempt.job.trial.stop_request.exists():
            self.request_stop("finish", KILL_DELAY_S)
        return self._read_metrics()

    def _read_metrics(self) -> list[Event]:
        """Store what was logged since the last reading; return an event if the metric was in it."""
        job, before = self.attempt.job, self._num_values
        self.attempt.announcements.read()
        for row in filter(None, map(numbers, self.attempt.logs.read())):
            job.trial.append_history(dict(sorted(row.items())))
            self._num_values += not job.spec.metric or job.spec.metric in row
            self._value = row.get(job.spec.metric, self._value)
        if self._num_values == before:
            return []
        return [Epoch(job.id, self._num_values, 0, job.spec.metric, self._value)]

    def give_up(self, error: OSError | MachineFault | LeaseLost) -> Failed | Interrupted:
        """End a program whose files cannot be read or written, or are another launch's now."""
        if not self.is_over:
            self.program.kill()
        self.is_over = True
        job = self.attempt.job
        if isinstance(error, LeaseLost):
            return Interrupted(job.id, is_taken=True)
        if (fault := fault_of(error, job.study_folder)) is not None:
            return Interrupted(job.id, fault=str(fault))
        return failed(self.attempt, "error", f"{CANNOT_KEEP}: {error}")


class SubprocessExecutor:
    """As many programs at a time as there are slots."""

    def __init__(
        self,
        slots: Slots,
        kill_delay_s: float = KILL_DELAY_S,
        release: Callable[[], None] = lambda: None,
    ):
        self._release_slots = release
        self.kind = kind_of((slots or ["cpu"])[0])
        self._slots, self._kill_delay_s = slots, kill_delay_s
        self._running: dict[str, RunningProgram] = {}
        self._unreported: list[Event] = []
        """Ends of trials whose programs were not started; each holds its slot until polled."""
        self._reaper = ProcessReaper()

    def num_free(self) -> int:
        return max(0, len(self._slots) - len(self._running) - len(self._unreported))

    def submit(self, job: CommandJob) -> None:
        if job.trial.record() is not None:
            self._unreported.append(Done(job.id))
        else:
            self._start(job)

    def _start(self, job: CommandJob) -> None:
        """Start the program in a free slot; or report why not."""
        slot = min(set(range(len(self._slots))) - {one.slot for one in self._running.values()})
        try:
            attempt = _begin(job, self._slots[slot])
        except LeaseLost:
            self._unreported.append(Interrupted(job.id, is_taken=True))
            return
        except (OSError, MachineFault) as error:
            self._unreported.append(_not_begun(job, error))
            return
        try:
            program = _start_program(attempt)
        except (OSError, ValueError) as error:  # an argument with a NUL
            self._unreported.append(_not_started(attempt, error))
            return
        self._reaper.watch(program.group)
        self._running[job.id] = RunningProgram(attempt, program, slot)

    def poll(self, timeout_s: float) -> Sequence[Event]:
        deadline = time.monotonic() + timeout_s
        while not (events := self._poll_all()) and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(LOOK_EVERY_S, left))
        return events

    def _poll_all(self) -> list[Event]:
        events, self._unreported = self._unreported, []
        for running in list(self._running.values()):
            running.enforce_time_limit(self._kill_delay_s)
            try:
                events += running.poll()
            except (OSError, MachineFault, LeaseLost) as error:
                events.append(running.give_up(error))
            if running.is_over:
                self._release(running)
        return events

    def _release(self, running: RunningProgram) -> None:
        self._reaper.forget(running.program.group)
        del self._running[running.attempt.job.id]

    def end(self, trial_id: str) -> None:
        if trial_id in self._running:
            self._running[trial_id].request_stop("finish", self._kill_delay_s)

    def stop(self, grace_s: float) -> Sequence[Event]:
        events = self._poll_all()
        for running in self._running.values():
            running.request_stop("stop", grace_s)
        deadline = time.monotonic() + grace_s + KILL_LASTS_S
        while self._running and time.monotonic() < deadline:
            events += self.poll(LOOK_EVERY_S)
        self._reaper.close()
        self._release_slots()
        return [*events, *map(Interrupted, self._running)]


def _not_begun(job: CommandJob, error: OSError | MachineFault) -> Failed | Interrupted:
    """Return the end of a trial in whose folder nothing could be written."""
    if (fault := fault_of(error, job.study_folder)) is not None:
        return Interrupted(job.id, fault=str(fault))
    return Failed(job.id, "error", f"{CANNOT_KEEP}: {error}")


def _not_started(attempt: CommandAttempt, error: OSError | ValueError) -> Failed | Interrupted:
    """Return the end of a trial whose program could not be started."""
    if (fault := fault_of(error)) is not None:
        return Interrupted(attempt.job.id, fault=str(fault))
    return failed(attempt, "error", f"cannot be started: {error}")


def _begin(job: CommandJob, device: str) -> CommandAttempt:
    """Begin a new attempt, from the start: where a program could resume is not known."""
    number = job.trial.begin().number
    job.trial.keep_history(0)
    drop_results(job.trial)
    job.trial.write_config(job.parameters)
    write_parameters(job)
    runs_folder(job).mkdir(parents=True, exist_ok=True)
    logs = RunLogs(runs_folder(job), job.tracking.run_id or run_id_of(job.id, job.study, number))
    log = job.trial.log
    num_bytes = log.stat().st_size if log.exists() else 0
    announcements = Announcements(log, num_bytes, job.spec.cwd, runs_folder(job))
    return CommandAttempt(job, number, device, now(), logs, announcements, num_bytes)


def _start_program(attempt: CommandAttempt) -> Program:
    job = attempt.job
    environment = program_environment(job, os.environ, attempt.device, attempt.logs.run_id)
    arguments = command_line(job, environment)
    return Program(arguments, environment, job.spec.cwd, job.trial.log)
