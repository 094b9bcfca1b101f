"""The fork server itself: imports, then forks a worker for each request, and reports its end.

`python -m audiocls.execution.fork_server FD`: FD is its end of the socket. It has one thread and
runs no operation of torch, so that what it forks is as a worker that has just imported. It imports
before it forks: what is imported here is imported once, and not in each worker. It ends when its
scheduler does; the workers' inputs end then, too, and they stop by themselves.
"""

import gc
import json
import os
import select
import socket
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

LARGEST_REQUEST = 1 << 18
"""Bytes, most of them the environment."""


class Children:
    """The workers that were forked and have not ended, by the handles that tell of their ends."""

    def __init__(self, control: socket.socket):
        self.control = control
        self._pids: dict[int, int] = {}

    def handles(self) -> list[int]:
        return list(self._pids)

    def fork(self, request: Mapping[str, Any], fds: list[int]) -> None:
        """Fork a worker and answer with its process id and handle."""
        gc.freeze()  # else the first collection in each worker copies every page
        if (pid := os.fork()) == 0:
            self._become_worker(request, fds)
        handle = os.pidfd_open(pid)
        self._pids[handle] = pid
        socket.send_fds(self.control, [json.dumps({"pid": pid}).encode()], [handle])

    def _become_worker(self, request: Mapping[str, Any], fds: list[int]) -> NoReturn:
        try:
            os.setsid()
            self.control.close()
            for handle in self._pids:
                os.close(handle)
            for number, fd in enumerate(fds):
                os.dup2(fd, number)
                os.close(fd)
            os.environ.clear()
            os.environ.update(request["environment"])
            tempfile.tempdir = None  # it was chosen in another environment
            gc.enable()
            _start_worker(Path(request["cache"]))
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    def reap(self, handle: int) -> None:
        """Answer with the exit status of a worker that has ended."""
        pid = self._pids.pop(handle)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
        answer = {"pid": pid, "status": os.waitstatus_to_exitcode(status)}
        self.control.send(json.dumps(answer).encode())


def main() -> None:
    """Import, then serve until the scheduler ends."""
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.disable()  # importing leaves little to collect, and looking for that takes an eighth of it
    import_all()
    children = Children(control)
    while True:
        ready, _, _ = select.select([control.fileno(), *children.handles()], [], [])
        for each in set(ready) - {control.fileno()}:
            children.reap(each)
        if control.fileno() in ready:
            _serve(children)


def import_all() -> None:
    """Import what each worker needs, and know the code that they train with."""
    import torch

    from audiocls.execution import worker  # noqa: F401
    from audiocls.execution.provenance import code_digest

    torch.set_num_threads(1)
    code_digest()  # which is kept


def _start_worker(cache: Path) -> NoReturn:
    import numpy as np

    from audiocls.execution import worker

    np.random.seed()
    worker.main(cache)


def _serve(children: Children) -> None:
    request, fds, _, _ = socket.recv_fds(children.control, LARGEST_REQUEST, 3)
    if not request:
        os._exit(0)
    if _num_threads() > 1:
        os._exit(1)  # a fork could hang: workers are started by themselves from now on
    children.fork(json.loads(request), fds)
    for fd in fds:
        os.close(fd)


def _num_threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


if __name__ == "__main__":
    main()
