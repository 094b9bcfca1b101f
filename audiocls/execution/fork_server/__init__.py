"""Fork server: one process that has imported what trials need, of which workers are forked.

Importing torch and its like takes seconds of CPU, forking hundredths of one. It is done where it is
safe: on Linux, for workers on the CPU, by a process that has one thread and has touched no device.
Everywhere else, and whenever the fork server has ended or refuses, a worker is started by itself.

The two ends talk through one socket, a line of JSON a message: this end sends what `Popen` would
be given, with the worker's pipes; the other end answers with the worker's process id and a handle
of it (pidfd), and with its exit status when it ends.
"""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from audiocls.errors import UsageError
from audiocls.execution.devices import slots, worker_environment
from audiocls.extras import is_installed

LARGEST_MESSAGE = 1 << 16
"""Bytes of an answer; a request may be longer."""
UNKNOWN_STATUS = 255
"""Exit status of a worker that outlived the fork server, which alone could have known it."""


class Process(Protocol):
    """What an executor needs of a worker's process, as `subprocess.Popen` has it."""

    stdin: IO[str] | None
    stdout: IO[str] | None
    returncode: int | None

    def poll(self) -> int | None:
        """Return the exit status, once the process has ended."""

    def wait(self) -> int:
        """Return the exit status; wait for the end."""

    def kill(self) -> None:
        """Send SIGKILL, if the process still runs."""


class ForkedProcess:
    """A worker that a fork server was asked for; it may not have been forked yet.

    The fork server alone can learn its exit status, since it is the worker's parent.
    """

    def __init__(self, server: "ForkServer", stdin: IO[str], stdout: IO[str]):
        self._server = server
        self.stdin: IO[str] | None = stdin
        self.stdout: IO[str] | None = stdout
        self.returncode: int | None = None
        self._handle: int | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def fork(self, handle: int) -> None:
        """Note that it runs, and its handle."""
        self._handle = handle

    def end(self, status: int) -> None:
        """Note the exit status; negative for a signal."""
        with self._lock:
            self.returncode = status
            if self._handle is not None:
                os.close(self._handle)
        self._ended.set()

    def lose(self) -> None:
        """Note that the fork server has ended; a worker that it has forked goes on by itself."""
        if self._handle is None:
            self.end(UNKNOWN_STATUS)
        else:
            threading.Thread(target=self._await_end, args=[self._handle], daemon=True).start()

    def _await_end(self, handle: int) -> None:
        end = select.poll()
        end.register(handle, select.POLLIN)
        end.poll()
        self.end(UNKNOWN_STATUS)

    def poll(self) -> int | None:
        return self.returncode

    def wait(self) -> int:
        self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """Kill it by its handle, which cannot mean another process; one to be forked never is."""
        if self._handle is None:
            self._server.close()
            return
        with self._lock, suppress(ProcessLookupError):
            if self.returncode is None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)


class ForkServer:
    """The parent of workers; from `begin` on it imports while this process plans.

    `environment` is that of its workers, but for what each of them gets for itself.
    """

    def __init__(self, environment: Mapping[str, str]):
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: list[ForkedProcess] = []
        self._running: dict[int, ForkedProcess] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def begin(self) -> None:
        """Start the process, once."""
        if self._process is not None or self._is_closed:
            return
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = [sys.executable, "-m", "audiocls.execution.fork_server", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                program,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=dict(self._environment),
            )
        threading.Thread(target=self._listen, args=[self._process], daemon=True).start()

    def start(self, cache: Path, log: Path, environment: Mapping[str, str]) -> ForkedProcess | None:
        """Return a new worker; none where it must be started otherwise."""
        self.begin()
        request = json.dumps({"cache": str(cache), "environment": dict(environment)}).encode()
        (its_stdin, stdin), (stdout, its_stdout) = os.pipe(), os.pipe()
        with log.open("ab") as errors:
            process = ForkedProcess(self, os.fdopen(stdin, "w", 1), os.fdopen(stdout))
            try:
                with self._lock:
                    if self._is_closed:
                        raise OSError("the fork server has ended")
                    fds = [its_stdin, its_stdout, errors.fileno()]
                    socket.send_fds(self._control, [request], fds)
                    self._waiting.append(process)
            except OSError:
                for file in (process.stdin, process.stdout):
                    assert file is not None
                    file.close()
                return None
            finally:
                os.close(its_stdin)
                os.close(its_stdout)
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what the fork server answers, until it ends."""
        with suppress(OSError):
            while True:
                answer, handles, _, _ = socket.recv_fds(self._control, LARGEST_MESSAGE, 1)
                if not answer:
                    break
                self._receive(json.loads(answer), handles)
        with self._lock:
            self._is_closed = True
            self._control.close()
            lost = [*self._waiting, *self._running.values()]
        process.wait()
        for worker in lost:
            worker.lose()

    def _receive(self, answer: Mapping[str, int], handles: Sequence[int]) -> None:
        pid = answer["pid"]
        if "status" in answer:
            self._running.pop(pid).end(answer["status"])
            return
        with self._lock:
            process = self._waiting.pop(0)
        process.fork(handles[0])
        self._running[pid] = process

    def close(self) -> None:
        """End the fork server; workers go on until their input ends."""
        with self._lock:
            self._is_closed = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def is_possible() -> bool:
    """Whether this system has what a fork server needs, and torch is installed."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and is_installed("train")


PROGRAM = re.compile(r"^(?:program|command)\s*:", re.MULTILINE)
"""Key of what a study runs instead of training a recipe; a sweep over a recipe has `audiocls` in
its command."""


@contextmanager
def begun(
    executor: str, devices: str, num_workers: int | None, per_trial: int, runs: Path, name: str
) -> Iterator[ForkServer | None]:
    """Yield a fork server, as long as the context is open; None where it is not safe.

    It begins at once for a study that was never launched. One whose folder in `runs` is there may
    have no trial left to train, and one of a program forks none: there it begins with the first
    worker, or when the file was read.

    Args:
        executor, devices, num_workers, per_trial: options of a launch.
        name: of the study; before it is known, of the file, after which most are called.
    """
    if not (_is_on_cpu(executor, devices, num_workers, per_trial) and is_possible()):
        yield None
        return
    server = ForkServer(worker_environment(os.environ, "cpu"))
    try:
        known = runs / Path(name).name.removesuffix(".yaml").removesuffix(".yml")
        if not _is_there(known) and not _seems_to_run_a_program(Path(name)):
            server.begin()
        yield server
    finally:
        server.close()


def _is_on_cpu(executor: str, devices: str, num_workers: int | None, per_trial: int) -> bool:
    """Whether processes on this machine's cores train; not where the options are at fault."""
    with suppress(UsageError):
        return executor == "local" and set(slots(devices, num_workers, False, per_trial)) == {"cpu"}
    return False


def _is_there(folder: Path) -> bool:
    with suppress(OSError):  # a name too long, which is refused when it is read
        return folder.exists()
    return True


def _seems_to_run_a_program(file: Path) -> bool:
    """Whether a study's file speaks of a program of the user's, as far as its lines tell."""
    if file.suffix not in (".yaml", ".yml"):
        return False
    with suppress(OSError, ValueError):
        text = file.read_text(encoding="utf-8")
        return PROGRAM.search(text) is not None and "audiocls" not in text
    return False
