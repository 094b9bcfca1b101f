"""A persistent worker: reads jobs as lines of JSON, trains them, writes events as lines of JSON.

Forked by a fork server, or started as `python -m audiocls.execution.worker CACHE`, with one thread,
one device and a folder of its own for temporary files, which is removed with it. It outlives
trials, so only the first pays for importing torch. Once it is told to stop it stops after the
running epoch; when its scheduler dies its standard input ends, and it has no more than
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
from audiocls.execution.messages import FINISH, READY, STOP, Event, Interrupted, to_json
from audiocls.execution.temporary import TEMPORARY
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.machine import fault_of
from audiocls.training.fit import Signal

ORPHAN_GRACE_S = 2.0


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

    def poll_signal(self, trial_id: str) -> Signal:
        """Return what the scheduler wants of a running trial."""
        if self.stop.is_set():
            return Signal.STOP
        return Signal.FINISH if trial_id in self._finishing else Signal.CONTINUE


class LastTrial:
    """The trial before, whose run is uploaded on a thread while the next one trains."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def finish(self, wait_for_upload: Callable[[], None]) -> None:
        """Start the thread, once the trial before has finished."""
        self.wait()
        self._thread = threading.Thread(target=wait_for_upload, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is uploaded any more."""
        if self._thread is not None:
            self._thread.join()


def main(cache: Path) -> NoReturn:
    """Train jobs until standard input ends; `cache` is where decoded audio is kept.

    SIGTERM is left to the scheduler: SLURM and systemd send it to all processes of a job at once.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    inbox, worker_cache = Inbox(), WorkerCache(cache)

    last, writing = LastTrial(), threading.Lock()

    def emit(event: Event) -> None:
        try:
            with writing:
                channel.write(to_json(event) + "\n")
        except BrokenPipeError:
            # The scheduler is gone; what this event reports is on disk already.
            leave(1)

    channel.write(READY + "\n")
    while (line := inbox.jobs.get()) is not None:
        job = job_from_json(line, NativeSpec)
        try:
            with output_to(job.trial.log):
                poll_signal = partial(inbox.poll_signal, job.id)
                train_trial(job, worker_cache, emit, poll_signal, last.finish)
        except (OSError, MachineFault) as error:  # the log cannot be opened: nothing was begun
            if (fault := fault_of(error, job.study_folder)) is None:
                raise
            emit(Interrupted(job.id, fault=str(fault)))
    last.wait()
    leave(0)


def leave(code: int) -> NoReturn:
    """Exit at once, without what libraries do then; temporary files go with this process."""
    if own := os.environ.get(TEMPORARY):
        shutil.rmtree(own, ignore_errors=True)
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
    main(Path(sys.argv[1]))
