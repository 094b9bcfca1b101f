"""Sentences and tables in a terminal's width: what is left out, and where lines are broken.

Sentences are broken between words, and never inside a command that can be copied.
"""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

COMMAND = re.compile(r"(?:^|(?<=: ))audiocls (?:(?!\. |; ).)*$")
"""A command at the end of a line, with no sentence after it."""
PROSE_WIDTH = 80
"""Columns of a table's sentences in a pipe or a file, where nothing else limits them."""

NARROW_PROSE = 40
"""Columns that they need at least, before a terminal goes without other columns for them."""


def wrapped(text: str, width: int) -> str:
    """Return `text` with lines of at most `width` columns, as far as its words allow.

    Further lines of an indented one, or of an item, are indented likewise. A command at the end has
    a line of its own where it does not fit, and stays whole.

    >>> print(wrapped("- one two three four five. Resume with: audiocls sweep launch mine", 24))
    - one two three four
      five. Resume with:
      audiocls sweep launch mine
    """
    return "\n".join(part for line in text.split("\n") for part in _lines(line, width))


def _lines(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip(" -")))
    match = COMMAND.search(line)
    prose = line[: match.start()].rstrip() if match else line
    lines = textwrap.wrap(
        prose, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [*lines, f"{indent}{match[0]}"] if match else lines


def name_in_lines(name: str, width: int) -> str:
    """Return a name in lines of at most `width` columns, as far as its parts allow.

    >>> print(name_in_lines("dropout=0.1,mixup=off", 13))
    dropout=0.1,
    mixup=off
    """
    lines = [""]
    for part in re.split(r"(?<=[,=_/-])|(?<=\.)(?=[A-Za-z])", name):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


UNWRAPPED = 10_000
"""Columns; wider than any line."""
NARROWEST_NAME = 8
"""Columns to which names are broken at most."""

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


@dataclass(frozen=True)
class Grid:
    """A table in text, whose columns are known by their names."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: Sequence[str] = ()
    """Columns that align left."""
    droppable: Sequence[str] = ()
    """Left out where the terminal is too narrow, the first of them first."""
    prose: Sequence[str] = ()
    """Columns of sentences, which are broken between words."""
    whole: Sequence[str] = ()
    """Columns that are never broken."""
    names: Sequence[str] = ()
    """Columns that are broken behind commas and the like, once nothing else helps."""
    last: Sequence[str] = ()
    """Left out like `droppable`, once intervals stand below their values."""
    left_out: Sequence[str] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    """Column → its title, where that is not its name."""

    def fitted(self, terminal: Console) -> "Grid":
        """Return the table as that terminal has room for it."""
        grid = self._without(self.droppable, terminal)
        if grid._excess(terminal) > 0:
            grid = grid._with_intervals_below()._without(self.last, terminal)
        return grid._with_short_names(terminal)

    def with_short_lines(self, width: int) -> "Grid":
        """Return the table with sentences broken into lines of `width` columns."""
        return self._mapped(self.prose, partial(wrapped, width=width))

    def drawn(self) -> Table:
        """Return what rich prints."""
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        shown = [i for i, column in enumerate(self.columns) if column not in self.left_out]
        for column in (self.columns[i] for i in shown):
            justify: JustifyMethod = "left" if column in self.text else "right"
            title, is_whole = Text(self.titles.get(column, column)), column in self.whole
            table.add_column(title, justify=justify, overflow="fold", no_wrap=is_whole)
        for row in self.rows:
            cells = [row[i] for i in shown]
            table.add_row(*(Text(cell, style=VERDICT_STYLES.get(cell, "")) for cell in cells))
        return table

    def _excess(self, terminal: Console) -> int:
        """Return by how many columns it is too wide if nothing had to wrap."""
        unlimited = terminal.options.update(width=UNWRAPPED, max_width=UNWRAPPED)
        table = self.with_short_lines(NARROW_PROSE).drawn()
        return Measurement.get(terminal, unlimited, table).maximum - terminal.width

    def _without(self, columns: Sequence[str], terminal: Console) -> "Grid":
        grid = self
        for column in filter(self.columns.__contains__, columns):
            if grid._excess(terminal) <= 0:
                break
            grid = replace(grid, left_out=(*grid.left_out, column))
        return grid

    def _with_intervals_below(self) -> "Grid":
        others = [each for each in self.columns if each not in (*self.prose, *self.whole)]
        grid = self._mapped(others, _interval_below)
        return replace(grid, titles={each: _interval_below(each) for each in others})

    def _with_short_names(self, terminal: Console) -> "Grid":
        """Return the table with its names broken as far as that makes it fit."""
        grid = self
        for column in self.names:
            if (excess := grid._excess(terminal)) > 0:
                index = self.columns.index(column)
                longest = max((len(row[index]) for row in self.rows), default=0)
                room = max(NARROWEST_NAME, longest - excess)
                grid = grid._mapped([column], partial(name_in_lines, width=room))
        return grid

    def _mapped(self, columns: Sequence[str], change: Callable[[str], str]) -> "Grid":
        """Return the table with the cells of some columns changed."""
        changed = [column in columns for column in self.columns]
        rows = [
            [
                change(cell) if is_changed else cell
                for cell, is_changed in zip(row, changed, strict=True)
            ]
            for row in self.rows
        ]
        return replace(self, rows=rows)


def _interval_below(text: str) -> str:
    """Return `+1.0 [−0.3, +2.3]` in two lines, and a title with its level likewise."""
    return text.replace(" [", "\n[")
