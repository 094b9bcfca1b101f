"""What is written to a pipe that nobody reads any more, or to a terminal that was closed."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console

UNHEARD = (errno.EPIPE, errno.EIO)
"""Of a pipe without a reader, as of a `tee` that Ctrl-C has ended too, and of a closed terminal."""


class ForPeople:
    """A stream for people: once nobody hears it any more, what it gets goes nowhere.

    Whatever is under way, such as a launch, goes on, and ends with the exit code that it has.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        with heard_or_not(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with heard_or_not(self._stream):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Answers(Console):
    """A console whose reader may leave, which ends most commands: what says more does not hear."""

    def on_broken_pipe(self) -> None:
        """Raise what was raised, and not the end of the program."""
        raise


@contextmanager
def heard_or_not(stream: TextIO) -> Iterator[None]:
    """Go on where nobody hears what is written inside; the rest of it goes nowhere."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNHEARD:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
