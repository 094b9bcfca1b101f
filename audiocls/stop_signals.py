"""Signals that ask a command to stop: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed.

Imports nothing heavy: it guards the start of the program, before anything else is imported.
"""

import _thread
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

RESUMABLE = 75
"""Exit code of what the same command goes on with."""
AT_ONCE = 130
"""Exit code after a second request to stop, which cuts running epochs short."""
SAME_REQUEST_S = 1.0
"""Between two SIGTERM that are one request to stop."""
AGAIN_S = 0.02
"""Until a signal that came in the midst of an import is sent again."""
IMPORT_S = 10.0
"""The longest that an import may still take: a module of anybody's may do more than define."""
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_leaving = threading.Event()
_at_once = threading.Event()
Handlers = dict[int, "Callable[[int, FrameType | None], object] | int | None"]


@contextmanager
def handled(handle: Callable[[int], None]) -> Iterator[None]:
    """Call `handle` for each signal that asks to stop; one that is ignored, as by nohup, stays so.

    An import that has begun inside is ended first: to interrupt it would leave half a module, which
    fails whatever imports it next, or change the exception, as `__set_name__` does up to 3.11.

    What a closed terminal would show goes nowhere from then on. Python lets the main thread alone
    handle signals: in another one nothing is handled, and a signal does there what it always does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handle(handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle(handle: Callable[[int], None]) -> Handlers:
    """Call `handle` from now on, as `handled` says; return what handled the signals before."""
    terminals = [fd for fd in (1, 2) if _is_terminal(fd)]
    outside, first_at = _num_imports(sys._getframe()), math.inf

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal first_at
        first_at = min(first_at, time.monotonic())
        if number == signal.SIGHUP:
            _silence(terminals)
        if _num_imports(frame) > outside and time.monotonic() < first_at + IMPORT_S:
            _send_again(number)
        else:
            handle(number)

    return {number: signal.signal(number, on_signal) for number in _asking()}


def _asking() -> list[int]:
    """Return the signals that ask to stop and are not ignored."""
    return [number for number in NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def exit_code_kept() -> Iterator[None]:
    """Run a program inside, from its first moment to the last: a signal ends it resumably.

    Once its exit code is known, a signal ends it at once and with that code: Python takes a while
    to end by itself, and what is interrupted there would be killed, or show where.
    """
    _handle(exit_resumably)
    code = 1  # of any other exception
    try:
        yield
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        raise
    finally:
        for number in _asking():
            signal.signal(number, lambda *_: os._exit(code))


def leave_if_asked(error: Exception) -> None:
    """Leave for the reason for which a signal interrupted what has failed with an error.

    Compiled code may turn the exception of a signal into one of its own, as pydantic's serializer
    does.
    """
    if _leaving.is_set():
        raise SystemExit(RESUMABLE) from error
    if _at_once.is_set():
        raise KeyboardInterrupt from error


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that the first SIGINT, SIGTERM or SIGHUP sets; the next interrupts at once.

    Whoever ends a job may signal each of its processes, and these one another: that is one request.
    """
    stop, first_at = threading.Event(), 0.0
    if _leaving.is_set():
        sys.exit(RESUMABLE)

    def handle(number: int) -> None:
        nonlocal first_at
        if not stop.is_set():
            first_at = time.monotonic()
        elif number == signal.SIGINT or time.monotonic() - first_at > SAME_REQUEST_S:
            _at_once.set()
            raise KeyboardInterrupt
        stop.set()

    with handled(handle):
        yield stop


def _num_imports(frame: FrameType | None) -> int:
    """Return how many imports are under way in a frame and its callers."""
    num = 0
    while frame is not None:
        num += frame.f_code.co_filename == "<frozen importlib._bootstrap>"
        frame = frame.f_back
    return num


def _send_again(number: int) -> None:
    def send() -> None:
        time.sleep(AGAIN_S)
        os.kill(os.getpid(), number)

    # A `threading.Thread` takes a lock that the import, interrupted, may hold.
    _thread.start_new_thread(send, ())


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False


def _silence(fds: list[int]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for fd in fds:
        os.dup2(nowhere, fd)
    os.close(nowhere)


def exit_resumably(number: int) -> None:
    """Leave the program, through every `finally`, before it runs anything that could be stopped.

    Compiled code may swallow the exception, as pydantic's serializer does: then the program is left
    once it comes to what could be stopped.
    """
    _leaving.set()
    said = f"stopped by {signal.Signals(number).name}; run the same command again\n"
    with suppress(OSError):  # the terminal is closed, or a `tee` was stopped too
        os.write(2, said.encode())
    sys.exit(RESUMABLE)
