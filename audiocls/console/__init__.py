"""The only door to rich: results on stdout, everything else on stderr, both made when needed."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

VERDICT_STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "no_evidence": "default",
    "too_few_pairs": "yellow",
    "not_comparable": "magenta",
    "baseline": "dim",
}


def stdout() -> Console:
    """For what was asked for."""
    return Console(highlight=False)


def stderr() -> Console:
    """For progress, notes and errors."""
    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """A line on stdout, without markup."""
    stdout().print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """A line on stderr, for people only."""
    stderr().print(text, markup=False, soft_wrap=True, style="dim")


def error(text: str) -> None:
    """An error on stderr."""
    stderr().print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)


def show_json(value: Any) -> None:
    """Pure JSON on stdout, whatever the terminal."""
    print(json.dumps(value, indent=1, allow_nan=False))


def show_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[str] = ()
) -> None:
    """A table that wraps in a narrow terminal; columns named in `text` align left."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        is_text = column in text
        table.add_column(column, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=VERDICT_STYLES.get(cell, "")) for cell in row))
    stdout().print(table)


def show_facts(facts: Mapping[str, Any]) -> None:
    """Two columns: a name and what is known of it."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        grid.add_row(Text(name, style="bold"), Text(str(value)))
    stdout().print(grid)


def duration(seconds: float | None) -> str:
    """`1 h 03 min`, `4 min 20 s`, `12 s`, or a question mark."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
