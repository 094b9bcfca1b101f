"""`SubprocessExecutor`: anybody's program as a trial, one at a time on each core or GPU.

What a program logs to W&B is read from the files of its run, online or offline, while it runs.
Every program leads a process group, and is ended with all its children; should this process be
killed, a `ProcessReaper` ends them. The moment between a start and its report to the reaper is not
covered.
"""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack

from audiocls.execution.clock import now
from audiocls.execution.devices import Slots, core_ids
from audiocls.execution.events import Done, Epoch, Event, Failed, Interrupted
from audiocls.execution.external.command import (
    command_line,
    program_environment,
    runs_folder,
    write_parameters,
)
from audiocls.execution.external.outcome import ForeignTrial, StopReason, failed, outcome
from audiocls.execution.external.program import Program
from audiocls.execution.external.reaper import ProcessReaper
from audiocls.execution.external.run_directory import RunDirectoryFinder
from audiocls.execution.job import CommandJob
from audiocls.tracking import run_id_of
from audiocls.tracking.wandb.log import RunLogs, numbers

KILL_DELAY_S = 30.0
"""From the poll_signal that a program ends to its kill: what W&B's agent allows it."""
KILL_LASTS_S = 2.0
"""For the system to remove what was killed; what waits for a dead disk takes for ever."""
LOOK_EVERY_S = 0.05
READ_EVERY_S = 0.5
CANNOT_KEEP = "its files cannot be kept"


class Running:
    """A program in its slot."""

    def __init__(self, trial: ForeignTrial, program: Program, slot: int, lease: ExitStack):
        self.trial, self.program, self.slot, self.lease = trial, program, slot, lease
        self.poll_signal: StopReason = "go"
        self.is_over = False
        self._kill_at = float("inf")
        self._read_at = 0.0
        self._num_values = 0
        job = trial.job
        self._elsewhere = RunDirectoryFinder(
            job.trial.log, trial.output_from, job.spec.cwd, runs_folder(job)
        )

    def want(self, poll_signal: StopReason, grace_s: float) -> None:
        """Ask it to end; a second poll_signal changes nothing but the moment of the kill."""
        self._kill_at = min(self._kill_at, time.monotonic() + grace_s)
        if self.poll_signal == "go":
            self.poll_signal = poll_signal
            self.program.signal(signal.SIGTERM)

    def hasten(self, grace_s: float) -> None:
        """See to it that it keeps to its time."""
        timeout_s = self.trial.job.spec.timeout_s
        if self.poll_signal == "go" and timeout_s is not None and self.program.age_s > timeout_s:
            self.want("timeout", grace_s)
        if time.monotonic() > self._kill_at:
            self.program.signal(signal.SIGKILL)

    def look(self) -> list[Event]:
        """What has happened; the last of these events is its end, once `is_over`."""
        end = self.program.poll()
        self.is_over = end is not None
        if end is not None:
            return [*self._news(), outcome(self.trial, self.poll_signal, end)]
        if time.monotonic() < self._read_at:
            return []
        self._read_at = time.monotonic() + READ_EVERY_S
        return self._news()

    def _news(self) -> list[Event]:
        """Keep what was logged since the last reading; an event if the metric was among it."""
        job, before = self.trial.job, self._num_values
        self._elsewhere.link()
        for row in filter(None, map(numbers, self.trial.logs.read())):
            job.trial.append_history(dict(sorted(row.items())))
            self._num_values += not job.spec.metric or job.spec.metric in row
        if self._num_values == before:
            return []
        return [Epoch(job.id, self._num_values, num_epochs=0)]

    def give_up(self, error: OSError) -> Failed:
        """Its files cannot be read or written: there is no use in going on."""
        if not self.is_over:
            self.program.kill()
        self.is_over = True
        return failed(self.trial, "error", f"{CANNOT_KEEP}: {error}")


class SubprocessExecutor:
    """As many programs at a time as there are slots."""

    def __init__(self, slots: Slots, kill_delay_s: float = KILL_DELAY_S):
        self._slots, self._kill_delay_s = slots, kill_delay_s
        self._running: dict[str, Running] = {}
        self._unheard: list[Event] = []
        self._guard = ProcessReaper()

    def num_free(self) -> int:
        return max(0, len(self._slots) - len(self._running) - len(self._unheard))

    def submit(self, job: CommandJob) -> None:
        with ExitStack() as lease:
            if not lease.enter_context(job.trial.lease()):
                why = "another process is running this trial"
                self._unheard.append(Failed(job.id, "error", why))
            elif job.trial.record() is not None:
                self._unheard.append(Done(job.id))
            else:
                self._start(job, lease)

    def _start(self, job: CommandJob, lease: ExitStack) -> None:
        """Start it in a free slot, which takes the lease over; or tell why it could not be."""
        slot = min(set(range(len(self._slots))) - {one.slot for one in self._running.values()})
        try:
            trial = _begin(job, self._slots[slot])
        except OSError as error:
            self._unheard.append(Failed(job.id, "error", f"{CANNOT_KEEP}: {error}"))
            return
        try:
            program = _started(trial)
        except OSError as error:
            self._unheard.append(failed(trial, "error", f"cannot be started: {error}"))
            return
        self._guard.watch(program.group)
        if trial.device == "cpu":
            program.pin(core_ids()[slot % len(core_ids())])
        self._running[job.id] = Running(trial, program, slot, lease.pop_all())

    def poll(self, timeout_s: float) -> Sequence[Event]:
        deadline = time.monotonic() + timeout_s
        while not (told := self._look()) and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(LOOK_EVERY_S, left))
        return told

    def _look(self) -> list[Event]:
        told, self._unheard = self._unheard, []
        for running in list(self._running.values()):
            running.hasten(self._kill_delay_s)
            try:
                told += running.look()
            except OSError as error:
                told.append(running.give_up(error))
            if running.is_over:
                self._release(running)
        return told

    def _release(self, running: Running) -> None:
        self._guard.forget(running.program.group)
        running.lease.close()
        del self._running[running.trial.job.id]

    def end(self, trial_id: str) -> None:
        if trial_id in self._running:
            self._running[trial_id].want("end", self._kill_delay_s)

    def stop(self, grace_s: float) -> Sequence[Event]:
        told = self._look()
        for running in self._running.values():
            running.want("stop", grace_s)
        deadline = time.monotonic() + grace_s + KILL_LASTS_S
        while self._running and time.monotonic() < deadline:
            told += self.poll(LOOK_EVERY_S)
        self._guard.close()
        return [*told, *map(Interrupted, self._running)]


def _begin(job: CommandJob, device: str) -> ForeignTrial:
    """A new attempt, from the start: nobody knows where another one would have to go on."""
    attempt = job.trial.begin().number
    job.trial.keep_history(0)
    job.trial.write_config(job.parameters)
    write_parameters(job)
    runs_folder(job).mkdir(parents=True, exist_ok=True)
    logs = RunLogs(runs_folder(job), job.tracking.run_id or run_id_of(job.id, job.study, attempt))
    log = job.trial.log
    num_bytes = log.stat().st_size if log.exists() else 0
    return ForeignTrial(job, attempt, device, now(), logs, num_bytes)


def _started(trial: ForeignTrial) -> Program:
    job = trial.job
    environment = program_environment(job, os.environ, trial.device, trial.logs.run_id)
    arguments = command_line(job, environment)
    return Program(arguments, environment, job.spec.cwd, job.trial.log)
