"""The only door to rich: results on stdout, everything else on stderr, both made when needed."""

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from audiocls.console.wrapping import NARROW_PROSE, PROSE_WIDTH, wrapped

UNWRAPPED = 10_000
"""Columns; wider than any line."""

VERDICT_STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "additive": "cyan",
    "interacts": "bold yellow",
    "no evidence": "default",
    "too few pairs": "yellow",
    "not comparable": "magenta",
    "not due": "default",
    "baseline": "dim",
}


def stdout() -> Console:
    """Return the console of results; into a pipe or a file nothing is wrapped.

    Bytes of a path that are no UTF-8 are shown escaped.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    width, forced = None if sys.stdout.isatty() else UNWRAPPED, _forced(sys.stdout)
    return Console(highlight=False, width=width, force_terminal=forced, force_jupyter=forced)


def stderr() -> Console:
    """Return the console of progress, notes and errors."""
    forced = _forced(sys.stderr)
    return Console(stderr=True, highlight=False, force_terminal=forced, force_jupyter=forced)


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


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    text: Sequence[str] = (),
    droppable: Sequence[str] = (),
    prose: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Print a table; columns named in `text` align left, those in `whole` are never broken.

    In a terminal too narrow for it, with sentences of `NARROW_PROSE` columns, the `droppable` ones
    are left out, the first of them first, and named below. Into a pipe or a file all columns go,
    and sentences in `prose` columns are broken between words.
    """
    terminal, left_out = stdout(), list[str]()
    narrow = [_with_short_lines(columns, row, prose, NARROW_PROSE) for row in rows]
    for column in filter(columns.__contains__, droppable if terminal.is_terminal else ()):
        if _width(terminal, _table(columns, narrow, text, left_out, whole)) <= terminal.width:
            break
        left_out.append(column)
    if title:
        terminal.print(Text(title, style="bold"))
    if not terminal.is_terminal:
        rows = [_with_short_lines(columns, row, prose, PROSE_WIDTH) for row in rows]
    terminal.print(_table(columns, rows, text, left_out, whole))
    if left_out:
        note(f"left out at this width: {', '.join(left_out)}")


def _with_short_lines(
    columns: Sequence[str], row: Sequence[str], prose: Sequence[str], width: int
) -> list[str]:
    named = zip(columns, row, strict=True)
    return [wrapped(cell, width) if column in prose else cell for column, cell in named]


def _width(terminal: Console, table: Table) -> int:
    """Return the columns that the table would take if nothing had to wrap."""
    unlimited = terminal.options.update(width=UNWRAPPED, max_width=UNWRAPPED)
    return Measurement.get(terminal, unlimited, table).maximum


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    text: Sequence[str],
    left_out: Sequence[str],
    whole: Sequence[str],
) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown = [index for index, column in enumerate(columns) if column not in left_out]
    for column in (columns[index] for index in shown):
        justify: JustifyMethod = "left" if column in text else "right"
        is_whole = column in whole
        table.add_column(Text(column), justify=justify, overflow="fold", no_wrap=is_whole)
    for row in rows:
        cells = [row[index] for index in shown]
        table.add_row(*(Text(cell, style=VERDICT_STYLES.get(cell, "")) for cell in cells))
    return table


def show_facts(facts: Mapping[str, Any]) -> None:
    """Print two columns: a name and what is known of it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(Text(name, style="bold"), Text(str(value)))
    stdout().print(grid)
