"""`LocalExecutor`: persistent workers on this machine, one per core or GPU, behind pipes.

A worker that dies costs only the running epoch of its trial: the death is reported as `Lost` and
another worker is started. Workers lead sessions of their own, so that Ctrl-C in a terminal reaches
the scheduler alone, which then stops them in order.
"""

import os
import queue
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from audiocls.errors import AudioclsError
from audiocls.execution.devices import PerDevice, Slots, kind_of, worker_environment
from audiocls.execution.executors.silence import PATIENCE, Patience, Silence
from audiocls.execution.executors.worker_process import Inbox, Worker, start_process
from audiocls.execution.fork_server import ForkServer, Process
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import (
    FINISH,
    READY,
    ROOM,
    STOP,
    Done,
    Event,
    Lost,
    from_json,
)
from audiocls.execution.temporary import TemporaryFolders
from audiocls.machine.memory import crowded_memory_fault, mapped_file_fault

MAX_STILLBORN = 3
"""Workers in a row that die before they are ready, after which the machine is at fault."""
NOT_UPLOADED = (
    "the W&B run was still being uploaded when the launch ended; `audiocls sweep sync` names and "
    "uploads what has not arrived"
)
MOST_PASSED_S = 1.0
"""Counted as silence between two looks, which are a fifth of a second apart."""


class LocalExecutor:
    """As many workers as there are slots, started at once and kept until `stop`."""

    def __init__(
        self,
        slots: Slots,
        cache: Path,
        log: Path,
        patience: Patience = PATIENCE,
        release: Callable[[], None] = lambda: None,
        fork_server: ForkServer | None = None,
        per_device: PerDevice = 1,
    ):
        is_forked = set(slots) == {"cpu"} and per_device == 1
        self._fork_server = fork_server if is_forked else None
        self._per_device = per_device
        self._cache, self._log, self._patience = cache, log, patience
        self._release_slots = release
        self.kind = kind_of((slots or ["cpu"])[0])
        self._looked = time.monotonic()
        self._inbox: Inbox = queue.SimpleQueue()
        self._stillborn = 0
        self._temporary = TemporaryFolders(log.parent)
        self._workers = [self._start(slot, device) for slot, device in enumerate(slots)]

    def _start(self, slot: int, device: str) -> Worker:
        temporary = self._temporary.new()
        environment = worker_environment(os.environ, device, temporary, self._cache)
        start = partial(self._start_process, environment)
        worker = Worker(slot, device, temporary, self._inbox, start)
        worker.room = 1 if self._per_device == "auto" else self._per_device
        return worker

    def _start_process(self, environment: Mapping[str, str]) -> Process:
        """Fork a worker, or else start one that imports everything itself."""
        forked = None
        if self._fork_server is not None:
            forked = self._fork_server.start(self._cache, self._log, environment)
        return forked or start_process(self._cache, self._log, environment, self._per_device)

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
        worker.take_note(event)
        if worker.is_spent and not worker.trial_ids and self._workers[worker.slot] is worker:
            self._retire(worker)
        return [event]

    def _retire(self, worker: Worker) -> None:
        """Start another worker in its place; it exits by itself when its input ends."""
        worker.close()
        self._workers[worker.slot] = self._start(worker.slot, worker.device)

    def _replace_worker(self, worker: Worker) -> list[Event]:
        """Replace a dead worker; return the loss of what it was training."""
        self._temporary.remove(worker.temporary)
        lost = (*worker.uploading, *worker.trial_ids)
        events: list[Event] = [self._lost(worker, trial_id) for trial_id in lost]
        if self._workers[worker.slot] is not worker:
            return events  # it was retired
        if not worker.is_ready:
            self._count_stillborn(worker)
        if self._stillborn >= MAX_STILLBORN:
            raise AudioclsError(
                f"{MAX_STILLBORN} workers died before they were ready ({worker.exit_reason()}); "
                f"their output is in {self._log}. Check this machine with: audiocls doctor"
            )
        worker.close()
        self._workers[worker.slot] = self._start(worker.slot, worker.device)
        return events

    def _count_stillborn(self, worker: Worker) -> None:
        """Count a worker that died before it was ready; where one was forked, none is any more."""
        if self._fork_server is None:
            self._stillborn += 1
        self._fork_server = None

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
        """Stop all workers; those that only upload finish that by themselves."""
        for worker in self._workers:
            worker.send_line(STOP)
            worker.close()
            if not worker.is_ready:  # it still imports, and has begun nothing
                worker.kill()
        events: list[Event] = []
        deadline = time.monotonic() + grace_s
        while any(worker.is_alive() for worker in self._workers) and time.monotonic() < deadline:
            events += self._next_event(0.05)
        left = [worker for worker in self._workers if worker.is_only_uploading()]
        for worker in self._workers:
            if worker not in left:
                worker.kill()
        self._temporary.close({worker.temporary for worker in left})
        self._release_slots()
        while not self._inbox.empty():
            events += self._next_event(0)
        recorded = [trial for worker in self._workers for trial in sorted(worker.uploading)]
        return [*events, *(Done(trial, NOT_UPLOADED) for trial in recorded)]

    def _next_event(self, timeout_s: float) -> list[Event]:
        """Return the event of the next line, if there is a line and it is one."""
        try:
            worker, line = self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return []
        if not line or line == READY or line.startswith(ROOM):
            return []
        event = from_json(line)
        worker.take_note(event)
        return [event]
