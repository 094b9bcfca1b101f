"""The only door to rich: results on stdout, everything else on stderr, both made when needed."""

import errno
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Literal, TextIO, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audiocls.console.layout import PROSE_WIDTH, UNWRAPPED, Grid, wrapped

CLOSED = (errno.EPIPE, errno.EIO)
"""Of a pipe without a reader, as of a `tee` that Ctrl-C has ended too, and of a closed terminal."""


class BestEffortStream:
    """A stream for notes and progress: once its reader is gone, output is discarded.

    Whatever is under way, such as a launch, goes on, and ends with the exit code that it has.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        with ignoring_closed_output(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with ignoring_closed_output(self._stream):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class ResultConsole(Console):
    """The console of results: a closed pipe is an error that the caller may handle."""

    def on_broken_pipe(self) -> None:
        """Raise what was raised, and not the end of the program."""
        raise


@contextmanager
def ignoring_closed_output(stream: TextIO) -> Iterator[None]:
    """Continue when the stream's reader is gone; the rest of the output is discarded."""
    try:
        yield
    except OSError as error:
        if error.errno not in CLOSED:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def stdout() -> Console:
    """Return the console of results; into a pipe or a file nothing is wrapped.

    Bytes of a path that are no UTF-8 are shown escaped.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    width, forced = None if sys.stdout.isatty() else UNWRAPPED, _forced(sys.stdout)
    return ResultConsole(highlight=False, width=width, force_terminal=forced, force_jupyter=forced)


def stderr() -> Console:
    """Return the console of progress, notes and errors."""
    forced, stream = _forced(sys.stderr), getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    file = cast(TextIO, BestEffortStream(stream))
    return Console(file=file, highlight=False, force_terminal=forced, force_jupyter=forced)


def _forced(stream: object) -> Literal[False] | None:
    """Return False for a text in memory: it stays plain, in a notebook's kernel as well."""
    return False if isinstance(stream, io.StringIO) else None


@contextmanager
def collected() -> Iterator[io.StringIO]:
    """Yield a text that gets all that is printed as long as the context is open."""
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        yield text


def say(text: str) -> None:
    """Print sentences on stdout, without markup; a terminal's lines end between words."""
    _print(stdout(), text)


def verbatim(text: str) -> None:
    """Print the content of a file on stdout, to the letter."""
    stdout().file.write(text if text.endswith("\n") else f"{text}\n")


def title(text: str) -> None:
    """Print a line in bold on stdout."""
    _print(stdout(), text, style="bold")


def heading(text: str) -> None:
    """Print a line in bold on stdout, after an empty one."""
    stdout().print()
    title(text)


def note(text: str) -> None:
    """Print a line on stderr, for people only."""
    _print(stderr(), text, style="dim")


def error(text: str) -> None:
    """Print an error on stderr."""
    terminal, start = stderr(), "error: "
    line = Text(_fitted(terminal, f"{start}{text}"))
    line.stylize("bold red", 0, len(start))
    terminal.print(line, soft_wrap=True)


def message(terminal: Console, text: str) -> None:
    """Print what happened to a trial, above the progress on that terminal."""
    _print(terminal, text, style="yellow")


def _print(terminal: Console, text: str, style: str = "") -> None:
    terminal.print(Text(_fitted(terminal, text), style=style), soft_wrap=True)


def _fitted(terminal: Console, text: str) -> str:
    return wrapped(text, terminal.width) if terminal.is_terminal else text


def show_json(value: Any) -> None:
    """Print pure JSON on stdout, whatever the terminal."""
    print(json.dumps(value, indent=1, allow_nan=False))


def show_table(table: Grid) -> None:
    """Print a table, in a terminal as it has room for it; what is left out is named below.

    Into a pipe or a file all columns go, and sentences are broken between words.
    """
    terminal = stdout()
    is_terminal = terminal.is_terminal
    shown = table.fitted(terminal) if is_terminal else table.with_short_lines(PROSE_WIDTH)
    terminal.print(shown.drawn())
    if shown.left_out:
        note(f"left out at this width: {', '.join(shown.left_out)}")


def show_facts(facts: Mapping[str, Any]) -> None:
    """Print two columns: a name and what is known of it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(Text(name, style="bold"), Text(str(value)))
    stdout().print(grid)
