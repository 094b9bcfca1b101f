"""Signals that ask a command to stop: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed.

Imports nothing heavy: it guards the start of the program, before anything else is imported.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

RESUMABLE = 75
"""Exit code of what the same command goes on with."""
SAME_REQUEST_S = 1.0
"""Between two SIGTERM that are one request to stop."""
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handled(handle: Callable[[int], None]) -> Iterator[None]:
    """Call `handle` for each signal that asks to stop; one that is ignored, as by nohup, stays so.

    What a closed terminal would show goes nowhere from then on. Python lets the main thread alone
    handle signals: in another one nothing is handled, and a signal does there what it always does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminals = [fd for fd in (1, 2) if _is_terminal(fd)]

    def on_signal(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _silence(terminals)
        handle(number)

    numbers = [number for number in NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that the first SIGINT, SIGTERM or SIGHUP sets; the next interrupts at once.

    Whoever ends a job may signal each of its processes, and these one another: that is one request.
    """
    stop, first_at = threading.Event(), 0.0

    def handle(number: int) -> None:
        nonlocal first_at
        if not stop.is_set():
            first_at = time.monotonic()
        elif number == signal.SIGINT or time.monotonic() - first_at > SAME_REQUEST_S:
            raise KeyboardInterrupt
        stop.set()

    with handled(handle):
        yield stop


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
    """Leave the program, through every `finally`, before it runs anything that could be stopped."""
    _say_stopped(number)
    sys.exit(RESUMABLE)


def end_resumably(number: int) -> None:
    """End the process at once, while nothing but imports has run.

    They may wrap an exception, as `__set_name__` does up to Python 3.11, and so change the exit
    code.
    """
    _say_stopped(number)
    os._exit(RESUMABLE)


def _say_stopped(number: int) -> None:
    os.write(2, f"stopped by {signal.Signals(number).name}; run the same command again\n".encode())
