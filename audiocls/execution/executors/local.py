"""`LocalExecutor`: persistent workers on this machine, one per core or GPU, behind pipes.

A worker has room for one trial, or for a pack, which it takes as a whole while it is idle. One that
dies costs its trials what they trained since their last snapshots: the death is reported as `Lost`
and another worker is started. Workers lead sessions of their own, so that Ctrl-C in a terminal
reaches the scheduler alone, which then stops them in order.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from audiocls.errors import AudioclsError
from audiocls.execution.devices import PerDevice, Slots, core_ids, worker_environment
from audiocls.execution.executors.silence import PATIENCE, Patience, Silence
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import (
    FINISH,
    READY,
    ROOM,
    STOP,
    Ended,
    Epoch,
    Event,
    Lost,
    Underway,
    from_json,
)
from audiocls.execution.temporary import TemporaryFolders
from audiocls.machine.memory import crowded_memory_fault, mapped_file_fault, num_oom_kills

MAX_STILLBORN = 3
"""Workers in a row that die before they are ready, after which the machine is at fault."""
KILL_LASTS_S = 1.0
"""For the system to remove a killed worker; one blocked on I/O may never exit."""


class Worker:
    """One child process and the trial that it trains."""

    def __init__(
        self,
        slot: int,
        device: str,
        cache: Path,
        log: Path,
        temporary: Path,
        inbox: "Inbox",
        per_device: PerDevice = 1,
    ):
        self.slot, self.device, self.temporary = slot, device, temporary
        self._oom_kills_before = num_oom_kills()
        self.trial_ids: list[str] = []
        self.room = 1
        """Trials that it takes at once."""
        self.is_filling = True
        """Whether it takes more: what it has was sent since the last look."""
        self.silence = Silence()
        self.is_ready = False
        self._killed_for = ""
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "audiocls.execution.worker", str(cache), str(per_device)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
                start_new_session=True,
                env=worker_environment(os.environ, device, temporary),
            )
        self._pin()
        self._reader = threading.Thread(target=self._read, args=(inbox,), daemon=True)
        self._reader.start()

    def _pin(self) -> None:
        """Pin the worker to one core, where the system can and it feeds no accelerator."""
        cores = core_ids()
        if self.device == "cpu" and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, {cores[self.slot % len(cores)]})

    def _read(self, inbox: "Inbox") -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                inbox.put((self, line.strip()))
        self._process.wait()
        inbox.put((self, None))

    def num_free(self) -> int:
        """Return how many more trials it takes now."""
        return self.room - len(self.trial_ids) if self.is_filling else 0

    def send_line(self, line: str) -> None:
        """Send one line; the death of a worker is reported by its reader, not here."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
        except BrokenPipeError:
            return

    def close(self) -> None:
        """End the worker's input: it exits when its trial has stopped."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            return

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the worker if it still runs, and release its pipes."""
        self._process.kill()
        self.close()
        self._reader.join(KILL_LASTS_S)

    def give_up(self, reason: str) -> None:
        """Kill a worker that hangs, one that is stopped by a signal too."""
        self._killed_for = reason
        self._process.kill()

    def exit_reason(self) -> str:
        """Return how the process ended."""
        if self._killed_for:
            return self._killed_for
        code = self._process.returncode
        if code is not None and code < 0:
            return f"worker killed by {signal.Signals(-code).name}"
        return f"worker exited with status {code}"

    def is_killed_by(self, number: signal.Signals) -> bool:
        return self._process.returncode == -number

    def is_killed_for_memory(self) -> bool:
        """Whether the kernel, as it seems, has killed it because memory ran out."""
        return self.is_killed_by(signal.SIGKILL) and num_oom_kills() > self._oom_kills_before


MOST_PASSED_S = 1.0
"""Counted as silence between two looks, which are a fifth of a second apart."""

Inbox = queue.SimpleQueue[tuple[Worker, str | None]]


class LocalExecutor:
    """As many workers as there are slots, started at once and kept until `stop`."""

    def __init__(
        self,
        slots: Slots,
        cache: Path,
        log: Path,
        patience: Patience = PATIENCE,
        per_device: PerDevice = 1,
    ):
        self._cache, self._log, self._patience = cache, log, patience
        self._per_device = per_device
        self._looked = time.monotonic()
        self._inbox: Inbox = queue.SimpleQueue()
        self._stillborn = 0
        self._temporary = TemporaryFolders(log.parent)
        self._workers = [self._start(slot, device) for slot, device in enumerate(slots)]

    def _start(self, slot: int, device: str) -> Worker:
        temporary = self._temporary.new()
        worker = Worker(
            slot, device, self._cache, self._log, temporary, self._inbox, self._per_device
        )
        worker.room = 1 if self._per_device == "auto" else self._per_device
        return worker

    def num_free(self) -> int:
        return sum(worker.num_free() for worker in self._workers)

    def submit(self, job: NativeJob) -> None:
        worker = next(worker for worker in self._workers if worker.num_free())
        worker.trial_ids.append(job.id)
        worker.silence = Silence()
        worker.send_line(job.to_json())

    def end(self, trial_id: str) -> None:
        for worker in self._workers:
            if trial_id in worker.trial_ids:
                worker.send_line(FINISH + trial_id)

    def poll(self, timeout_s: float) -> Sequence[Event]:
        events: list[Event] = []
        deadline = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.is_filling = not worker.trial_ids
        while not events and (left := deadline - time.monotonic()) > 0:
            try:
                worker, line = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            events += self._handle(worker, line)
        self._give_up_hung_workers()
        return events

    def _give_up_hung_workers(self) -> None:
        """Kill workers that were silent for too long; their readers then report them.

        A moment in which this process itself did not run, stopped or asleep, hardly counts.
        """
        now = time.monotonic()
        passed_s, self._looked = min(now - self._looked, MOST_PASSED_S), now
        for worker in self._workers:
            worker.silence.present_s += passed_s if worker.trial_ids else 0.0
            limit_s = self._patience.limit_s(worker.silence.longest_s)
            if worker.trial_ids and worker.silence.present_s > limit_s:
                worker.give_up(f"worker hung: silent for {limit_s:.0f} s, so it was killed")

    def _handle(self, worker: Worker, line: str | None) -> list[Event]:
        if line == READY:
            worker.is_ready, self._stillborn = True, 0
            return []
        if line is None:
            return self._replace_worker(worker)
        if line.startswith(ROOM):
            worker.room = int(line.removeprefix(ROOM))
            return []
        event = from_json(line)
        if isinstance(event, Underway):
            worker.silence.end(isinstance(event, Epoch))
        else:
            worker.trial_ids.remove(event.id)
            worker.is_filling = not worker.trial_ids
        if isinstance(event, Ended) and event.is_worker_spent:
            self._retire(worker)
        return [event]

    def _retire(self, worker: Worker) -> None:
        """Start another worker in its place; it exits by itself when its input ends."""
        worker.close()
        self._workers[worker.slot] = self._start(worker.slot, worker.device)

    def _replace_worker(self, worker: Worker) -> list[Event]:
        """Replace a dead worker; return the loss of the trial that it was training."""
        self._temporary.remove(worker.temporary)
        if self._workers[worker.slot] is not worker:
            return []  # it was retired
        self._stillborn += not worker.is_ready
        if self._stillborn >= MAX_STILLBORN:
            raise AudioclsError(
                f"{MAX_STILLBORN} workers died before they were ready ({worker.exit_reason()}); "
                f"their output is in {self._log}. Check this machine with: audiocls doctor"
            )
        worker.close()
        self._workers[worker.slot] = self._start(worker.slot, worker.device)
        return [self._lost(worker, trial_id) for trial_id in worker.trial_ids]

    def _lost(self, worker: Worker, trial_id: str) -> Lost:
        """Return why the trial was lost; of memory the trial is guilty if it ran alone."""
        how = worker.exit_reason()
        if worker.is_killed_by(signal.SIGBUS):
            return Lost(trial_id, how, fault=str(mapped_file_fault(self._cache)))
        if not worker.is_killed_for_memory():
            return Lost(trial_id, how)
        num_running = 1 + sum(bool(each.trial_ids) for each in self._workers)
        fault = str(crowded_memory_fault(num_running)) if num_running > 1 else ""
        return Lost(trial_id, f"{how}, out of memory", cause="out_of_memory", fault=fault)

    def stop(self, grace_s: float) -> Sequence[Event]:
        for worker in self._workers:
            worker.send_line(STOP)
            worker.close()
        events: list[Event] = []
        deadline = time.monotonic() + grace_s
        while any(worker.is_alive() for worker in self._workers) and time.monotonic() < deadline:
            events += self._next_event(0.05)
        for worker in self._workers:
            worker.kill()
        self._temporary.close()
        while not self._inbox.empty():
            events += self._next_event(0)
        return events

    def _next_event(self, timeout_s: float) -> list[Event]:
        """Return the event of the next line, if there is a line and it is one."""
        try:
            _, line = self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return []
        is_event = line and line != READY and not line.startswith(ROOM)
        return [from_json(line)] if line and is_event else []
