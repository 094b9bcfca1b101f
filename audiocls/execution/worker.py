"""A persistent worker: reads jobs as lines of JSON, trains them, writes events as lines of JSON.

Forked by a fork server, or started as `python -m audiocls.execution.worker CACHE PACK`, with one
thread, one device and a folder of its own for temporary files, which is removed with it. It
outlives trials, so only the first pays for importing torch. When a stop is requested it ends after
the running epoch; when its scheduler dies its standard input ends, and it exits within
`ORPHAN_GRACE_S`.
"""

import os
import queue
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import torch

from audiocls.atomic import make_way
from audiocls.errors import MachineFault
from audiocls.execution.job import NativeSpec, job_from_json
from audiocls.execution.messages import FINISH, READY, ROOM, STOP, Event, Interrupted, to_json
from audiocls.execution.packs import measured_room, train_jobs
from audiocls.execution.temporary import TEMPORARY, own
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.machine import fault_of
from audiocls.training.fit import Signal

ORPHAN_GRACE_S = 2.0
SETTLE_S = 0.05
"""Without a further job, after which a pack is whole."""


class Inbox:
    """Jobs and control lines, read on a thread, so that training can poll at any time."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.stop = threading.Event()
        self._finishing: set[str] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            if line.strip() == STOP:
                self.stop.set()
            elif line.startswith(FINISH):
                self._finishing.add(line.removeprefix(FINISH).strip())
            else:
                self.jobs.put(line)
        is_orphan = not self.stop.is_set()
        self.stop.set()
        self.jobs.put(None)
        if is_orphan:  # else the scheduler says how long the epoch may last
            threading.Timer(ORPHAN_GRACE_S, leave, [1]).start()

    def waiting(self) -> list[str]:
        """Return jobs that came together with the last one, for a pack."""
        lines: list[str] = []
        with suppress(queue.Empty):
            while (line := self.jobs.get(timeout=SETTLE_S)) is not None:
                lines.append(line)
            self.jobs.put(None)
        return lines

    def poll_signal(self, trial_id: str) -> Signal:
        """Return what the scheduler wants of a running trial."""
        if self.stop.is_set():
            return Signal.STOP
        return Signal.FINISH if trial_id in self._finishing else Signal.CONTINUE


class Uploads:
    """Runs of trials that are recorded, uploaded one after the other while others are trained."""

    def __init__(self) -> None:
        self._last: threading.Thread | None = None

    def finish(self, wait_for_upload: Callable[[], None]) -> None:
        """Finish one on a thread, once those before it have been."""
        before = self._last

        def finish() -> None:
            if before is not None:
                before.join()
            wait_for_upload()

        self._last = threading.Thread(target=finish, daemon=True)
        self._last.start()

    def wait(self) -> None:
        """Wait until nothing is uploaded any more."""
        if self._last is not None:
            self._last.join()


class Channel:
    """The pipe to the scheduler, which trainings and uploads write to at once."""

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        self._pipe, self._lock = os.fdopen(os.dup(1), "w", buffering=1), threading.Lock()
        self._is_stopping = is_stopping

    def write(self, line: str) -> None:
        try:
            with self._lock:
                self._pipe.write(line + "\n")
        except BrokenPipeError:
            # The scheduler is gone; what this line reports is on disk already.
            if not self._is_stopping():  # else it has left, and uploads may go on
                leave(1)

    def emit(self, event: Event) -> None:
        self.write(to_json(event))


def main(cache: Path, per_device: str = "1") -> NoReturn:
    """Train jobs until standard input ends.

    SIGTERM is left to the scheduler: SLURM and systemd send it to all processes of a job at once.

    Args:
        cache: where decoded audio is kept.
        per_device: the trials that are trained at once, or `auto`.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    if temporary := os.environ.get(TEMPORARY):
        own(Path(temporary))
    inbox, worker_cache, uploads = Inbox(), WorkerCache(cache), Uploads()
    channel = Channel(inbox.stop.is_set)
    channel.write(READY)
    while (line := inbox.jobs.get()) is not None:
        lines = [line] if per_device == "1" else [line, *inbox.waiting()]
        jobs = [job_from_json(each, NativeSpec) for each in lines]
        num_at_once = 1
        try:
            with output_to(jobs[0].trial.log):
                if per_device == "1":
                    poll_signal = partial(inbox.poll_signal, jobs[0].id)
                    train_trial(jobs[0], worker_cache, channel.emit, poll_signal, uploads.finish)
                else:
                    poll = inbox.poll_signal
                    num_at_once = train_jobs(jobs, worker_cache, channel.emit, poll, uploads.finish)
        except (OSError, MachineFault) as error:  # the log cannot be opened: nothing was begun
            if (fault := fault_of(error, jobs[0].study_folder)) is None:
                raise
            for job in jobs:
                channel.emit(Interrupted(job.id, fault=str(fault)))
        if per_device == "auto" and (room := measured_room(num_at_once)) is not None:
            channel.write(f"{ROOM}{room}")
    uploads.wait()
    leave(0)


def leave(code: int) -> NoReturn:
    """Exit at once, without libraries' exit handlers; remove this process's temporary files."""
    if temporary := os.environ.get(TEMPORARY):
        shutil.rmtree(temporary, ignore_errors=True)
    os._exit(code)


@contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Append everything that this process and its libraries print to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    make_way(log.parent, [log.name])
    saved = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        with suppress(OSError):  # a full disk takes no output either, and the trial has ended
            sys.stdout.flush()
            sys.stderr.flush()
        for fd, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, fd)
            os.close(copy)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
