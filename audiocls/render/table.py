"""Tables of typed cells: a number with its interval stays a number until a format writes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

from audiocls.formatting import NONE, format_estimate, format_p, format_signed_pair


class Depth(IntEnum):
    """How much room a format must offer before it shows a block."""

    SCREEN = 0
    """Everywhere, also in a terminal."""
    TEXT = 1
    """In Markdown and on W&B as well as on pages, not in a terminal."""
    PAGE = 2
    """On pages alone: HTML and notebooks."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, `None` where unknown; `scale` is 100 for points, else 1."""

    value: float | None
    low: float | None
    high: float | None
    scale: int = 1
    is_signed: bool = False
    is_claim: bool = False
    """Significant after the correction that `Table.claim` names."""


@dataclass(frozen=True)
class Interval:
    """An interval of a difference by itself, `None` where unknown; `scale` as of an `Estimate`."""

    low: float | None
    high: float | None
    scale: int = 1


@dataclass(frozen=True)
class PValue:
    """A p value, `None` where no test was made."""

    value: float | None


LAST = 10
"""The least `drop` of columns that stay until a terminal has broken the cells of others."""

Cell = str | Estimate | Interval | PValue

Kind = Literal["number", "word", "id", "name", "verdict", "prose", "remark"]
"""Of a column: an `id` is never broken, a `name` may be after commas, `prose` at words; a
`remark` is often empty."""


@dataclass(frozen=True)
class Column:
    """A table's column; its title is made of `name`, `unit` and the level of its intervals."""

    name: str
    kind: Kind = "number"
    unit: str = ""
    level: str = ""
    """Of the intervals in it: `95 %`."""
    is_detail: bool = False
    """Left out of a paper's table."""
    is_drawn: bool = False
    """A figure of the same document shows it: a page's table goes without."""
    depth: Depth = Depth.SCREEN
    """How much room a format must offer before it shows the column."""
    drop: int = 0
    """A terminal that is too narrow goes without the columns of 1, 2 … in this order; 0: never.

    From `LAST` on only once it has broken the cells of others.
    """

    @property
    def title(self) -> str:
        """`Δ points [95 %]`."""
        level = f"[{self.level}]" if self.level else ""
        return " ".join(filter(None, [self.name, self.unit, level]))

    @property
    def is_text(self) -> bool:
        """Whether it aligns left."""
        return self.kind != "number"


@dataclass(frozen=True)
class Table:
    """Rows of cells, one for each column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    label: str = ""
    """Names it in a paper; unique in its document."""
    caption: tuple[str, ...] = ()
    """What a reader needs where the table stands alone, as in a paper."""
    notes: tuple[str, ...] = ()
    """Below the table, where it stands alone."""
    claim: str = ""
    """What cells that are claims are significant after: `Holm's correction for 3 comparisons`."""
    all_rows: str = ""
    """Set where rows are ranked, so that a format may end after the first: prints all of them."""
    depth: Depth = Depth.SCREEN

    @property
    def titles(self) -> tuple[str, ...]:
        """The columns' titles in plain text."""
        return tuple(column.title for column in self.columns)

    def without(self, *names: str) -> "Table":
        """Return the table without the columns of these names."""
        kept = [i for i, column in enumerate(self.columns) if column.name not in names]
        return self._of_columns(kept)

    def at(self, depth: Depth) -> "Table":
        """Return the table with the columns that a format of this depth shows."""
        return self._of_columns([i for i, each in enumerate(self.columns) if each.depth <= depth])

    def without_empty(self) -> "Table":
        """Return the table without columns that no row fills."""
        kept = [i for i in range(len(self.columns)) if any(not is_empty(r[i]) for r in self.rows)]
        return self._of_columns(kept)

    def _of_columns(self, kept: Sequence[int]) -> "Table":
        columns = tuple(self.columns[i] for i in kept)
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return replace(self, columns=columns, rows=rows)


def is_empty(cell: Cell) -> bool:
    """Whether a cell says nothing."""
    if isinstance(cell, str):
        return not cell
    return (cell.low if isinstance(cell, Interval) else cell.value) is None


def plain_cell(cell: Cell, column: Column) -> str:
    """Return `+2.1 [+0.8, +3.4]`, `[−0.1, +4.2]`, `0.0156`, `better`; a dash where nothing is."""
    if isinstance(cell, Estimate):
        return format_estimate(cell.value, cell.low, cell.high, cell.scale, cell.is_signed)
    if isinstance(cell, Interval):
        return interval_text(cell)
    if isinstance(cell, str):
        return words(cell, column)
    return format_p(cell.value)


def words(cell: str, column: Column) -> str:
    """Return a cell of text as it is read: `no evidence` for `no_evidence`, a dash for nothing."""
    text = cell.replace("_", " ") if column.kind == "verdict" else cell
    return text or (NONE if column.is_text else "")


def interval_text(cell: Interval) -> str:
    """Return `[−0.1, +4.2]`, or a dash."""
    if cell.low is None or cell.high is None:
        return NONE
    return f"[{format_signed_pair(cell.scale * cell.low, cell.scale * cell.high, ', ')}]"


def plain_rows(table: Table, most: int | None = None) -> list[tuple[str, ...]]:
    """Return the rows as text; of ranked rows the first `most`."""
    rows = table.rows[:most] if table.all_rows else table.rows
    return [tuple(map(plain_cell, row, table.columns)) for row in rows]
