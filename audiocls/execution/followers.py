"""Followers: the further processes of a trial that is trained on several devices.

The worker that has the trial is the first rank: it alone stores, tracks and reports. It starts a
follower for each other device of its own (`python -m audiocls.execution.followers`), tells them
what the trial begins with and, after each epoch, whether it goes on. They end with their trial, or
with the worker.
"""

import os
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
from audiocls.execution.devices import DEVICES_PER_TRIAL
from audiocls.execution.job import NativeJob, NativeSpec, job_from_json
from audiocls.execution.worker_cache import WorkerCache
from audiocls.parts import KEPT
from audiocls.training import ranks
from audiocls.training.device import resolve_device
from audiocls.training.fit import fit
from audiocls.training.ranks import ALONE, Ranks
from audiocls.training.state import build

OUT_OF_MEMORY = 3
"""Exit code of a follower whose device had too little memory."""
GRACE_S = 10.0
"""For this process to notice by itself that a follower has ended."""


@contextmanager
def following(job: NativeJob, config: Config, cache: Path) -> Iterator[Ranks]:
    """Yield the ranks that train a trial, this process the first of them, until it is trained.

    Raises `torch.OutOfMemoryError` where the memory of another device was too small.
    """
    size = int(os.environ.get(DEVICES_PER_TRIAL, "1"))
    if size == 1:
        yield ALONE
        return
    is_over = threading.Event()
    with TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        followers = [_start(job, (rank, size), meeting, cache) for rank in range(1, size)]
        for follower in followers:
            threading.Thread(target=_watch, args=(follower, is_over), daemon=True).start()
        try:
            yield ranks.joined(0, size, meeting, resolve_device(config.device))
        except RuntimeError as error:
            _explain(error, followers)
            raise
        finally:
            is_over.set()
            for follower in followers:
                follower.kill()
                follower.communicate()
            ranks.leave()


def _start(
    job: NativeJob, place: tuple[int, int], meeting: Path, cache: Path
) -> subprocess.Popen[str]:
    words = [str(word) for word in (*place, meeting, cache)]
    program = [sys.executable, "-m", "audiocls.execution.followers", *words]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(job.to_json() + "\n")
    process.stdin.flush()
    return process


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
    for follower in followers:
        with suppress(subprocess.TimeoutExpired):
            code = follower.wait(timeout=1.0)
            if code == OUT_OF_MEMORY:
                raise torch.OutOfMemoryError("on another device of the trial") from error
            error.add_note(f"a process of this trial ended with status {code}; see its log")


def main() -> None:
    """Train along, until the trial ends or the first rank does."""
    rank, size, meeting, cache = int(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:])
    job = job_from_json(sys.stdin.readline(), NativeSpec)
    threading.Thread(target=_end_with_input, daemon=True).start()
    torch.set_num_threads(1)
    config = Config.model_validate(job.spec.config, context=KEPT)
    try:
        own = ranks.joined(rank, size, meeting, resolve_device(config.device))
        _train_along(job, config, own, cache)
    except torch.OutOfMemoryError:
        traceback.print_exc()
        os._exit(OUT_OF_MEMORY)
    os._exit(0)


def _train_along(job: NativeJob, config: Config, own: Ranks, cache: Path) -> None:
    weights, snapshot = own.of_first(_told)
    dataset = WorkerCache(cache).dataset(config, job.spec.data_fingerprint)
    state = build(config, dataset, weights, ranks=own)
    fit(state, lambda _: own.of_first(_told), snapshot)


def _told() -> Any:
    raise AssertionError("the first rank tells")


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
