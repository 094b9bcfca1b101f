"""Followers: the further processes of a trial that is trained on several devices.

The worker that has the trial is the first rank: it alone stores, tracks and reports. It starts a
follower for each other device of its own (`python -m audiocls.execution.followers`), tells them
what the trial begins with and, after each epoch, whether it goes on. They end with their trial, or
with the worker.
"""

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from audiocls.config import Config
from audiocls.execution.devices import devices_of_trial
from audiocls.execution.job import NativeJob, NativeSpec, job_from_json
from audiocls.execution.worker_cache import WorkerCache
from audiocls.parts import KEPT
from audiocls.training import ranks
from audiocls.training.device import resolve_device
from audiocls.training.fit import fit
from audiocls.training.ranks import Ranks
from audiocls.training.state import build

OUT_OF_MEMORY = 3
"""Exit code of a follower whose device had too little memory."""
GRACE_S = 10.0
"""For this process to notice by itself that a follower has ended."""


class FollowerKilled(Exception):
    """A follower was killed, which is no fault of the trial."""


@contextmanager
def following(job: NativeJob, config: Config, cache: Path) -> Iterator[Ranks]:
    """Yield the ranks that train a trial on several devices, this process the first of them.

    Raises `torch.OutOfMemoryError` where the memory of another device was too small, and
    `FollowerKilled`.
    """
    size = devices_of_trial()
    is_over = threading.Event()
    with TemporaryDirectory() as folder:
        rendezvous = Path(folder) / "rendezvous"
        followers: list[subprocess.Popen[str]] = []
        try:
            for rank in range(1, size):
                followers.append(_start((rank, size), rendezvous, cache))
                _send(followers[-1], job)
                watch = threading.Thread(target=_watch, args=(followers[-1], is_over), daemon=True)
                watch.start()
            yield ranks.join(0, size, rendezvous, resolve_device(config.device))
        except RuntimeError as error:
            _explain(error, followers)
            raise
        finally:
            is_over.set()
            for follower in followers:
                follower.kill()
                follower.communicate()
            ranks.leave()


def _start(place: tuple[int, int], rendezvous: Path, cache: Path) -> subprocess.Popen[str]:
    """Start the follower of a rank among so many; its input ends with this process."""
    words = [str(word) for word in (*place, rendezvous, cache)]
    program = [sys.executable, "-m", "audiocls.execution.followers", *words]
    return subprocess.Popen(program, stdin=subprocess.PIPE, text=True)


def _send(follower: subprocess.Popen[str], job: NativeJob) -> None:
    """Send the job; a follower that has died by now is noticed by who watches it."""
    assert follower.stdin is not None
    with suppress(BrokenPipeError):
        follower.stdin.write(job.to_json() + "\n")
        follower.stdin.flush()


def _watch(follower: subprocess.Popen[str], is_over: threading.Event) -> None:
    """End this process once a follower has died: it may wait for it on its device for ever."""
    code = follower.wait()
    if code and not is_over.wait(GRACE_S):
        print(f"a process of this trial ended with status {code}", file=sys.stderr, flush=True)
        os._exit(1)


def _explain(error: RuntimeError, followers: list[subprocess.Popen[str]]) -> None:
    """Say that a follower has died, to whom the connection may have been lost by that."""
    if isinstance(error, torch.OutOfMemoryError):
        return
    codes = _exit_codes(followers)
    if (killed := min(codes, default=0)) < 0:
        how = f"a process of this trial was killed by {signal.Signals(-killed).name}"
        raise FollowerKilled(how) from error
    if OUT_OF_MEMORY in codes:
        raise torch.OutOfMemoryError("on another device of the trial") from error
    for code in filter(None, codes):
        error.add_note(f"a process of this trial ended with status {code}; see log.txt")


def _exit_codes(followers: list[subprocess.Popen[str]]) -> list[int]:
    """Return those of the followers that have ended; one that dies does so within a moment."""
    codes = []
    for follower in followers:
        with suppress(subprocess.TimeoutExpired):
            codes.append(follower.wait(timeout=1.0))
    return codes


def main() -> None:
    """Train along, until the trial ends or the first rank does."""
    rank, size, rendezvous, cache = int(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:])
    job = job_from_json(sys.stdin.readline(), NativeSpec)
    threading.Thread(target=_end_with_input, daemon=True).start()
    torch.set_num_threads(1)
    config = Config.model_validate(job.spec.config, context=KEPT)
    try:
        group = ranks.join(rank, size, rendezvous, resolve_device(config.device))
        _train_along(job, config, group, cache)
    except torch.OutOfMemoryError:
        traceback.print_exc()
        os._exit(OUT_OF_MEMORY)
    os._exit(0)


def _train_along(job: NativeJob, config: Config, group: Ranks, cache: Path) -> None:
    weights, snapshot = group.broadcast_from_first(_known_to_first_rank)
    dataset = WorkerCache(cache).dataset(config, job.spec.data_fingerprint)
    state = build(config, dataset, weights, ranks=group)
    fit(state, lambda _: group.broadcast_from_first(_known_to_first_rank), snapshot)


def _known_to_first_rank() -> Any:
    raise AssertionError("the first rank tells")


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
