"""A persistent worker: reads tasks as lines of JSON, trains them, writes events as lines of JSON.

Started by the `local` executor as `python -m audiocls.execution.worker CACHE`, one thread and one
device each. It outlives trials, so only the first pays for importing torch. When its scheduler goes
away its standard input ends, and it stops: after the epoch in flight, or at once if that takes
longer.
"""

import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from audiocls.execution import events
from audiocls.execution.job import NativeSpec, job_from_json
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.execution.worker_protocol import FINISH, READY, STOP
from audiocls.training.fit import Signal

ORPHAN_GRACE_S = 2.0


class Inbox:
    """Tasks and wishes, read on a thread so that training can look at any time."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.stop = threading.Event()
        self._enough: set[str] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            if line.strip() == STOP:
                self.stop.set()
            elif line.startswith(FINISH):
                self._enough.add(line.removeprefix(FINISH).strip())
            else:
                self.tasks.put(line)
        self.stop.set()
        self.tasks.put(None)
        threading.Timer(ORPHAN_GRACE_S, os._exit, [1]).start()

    def poll_signal(self, trial_id: str) -> Signal:
        """What is wanted of the trial in hand."""
        if self.stop.is_set():
            return Signal.STOP
        return Signal.FINISH if trial_id in self._enough else Signal.CONTINUE


def main() -> None:
    """Serve until standard input ends."""
    torch.set_num_threads(1)
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    inbox, worker_cache = Inbox(), WorkerCache(Path(sys.argv[1]))

    def emit(event: events.Event) -> None:
        try:
            channel.write(events.to_json(event) + "\n")
        except BrokenPipeError:
            # The scheduler is gone; whatever this event tells of is on disk already.
            os._exit(1)

    channel.write(READY + "\n")
    while (line := inbox.tasks.get()) is not None:
        job = job_from_json(line, NativeSpec)
        with output_to(job.trial.log):
            train_trial(job, worker_cache, emit, partial(inbox.poll_signal, job.id))
    os._exit(0)


@contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Everything that this process and its libraries print goes to the end of `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    saved = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, fd)
            os.close(copy)


if __name__ == "__main__":
    main()
