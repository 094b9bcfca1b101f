"""What is counted until it is done: a bar in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from audiocls import console

LINE_EVERY_S = 15.0

Unit = Literal["bytes", "clips", "runs"]
Count = Callable[[str, int, int | None], None]
"""Gets what is being done, how much of it is, and of how much if that is known."""


@contextmanager
def counting(unit: Unit) -> Iterator[Count]:
    """Yield a function to call with each new count.

    The bar is on stderr, and gone from a terminal at the end.
    """
    terminal = console.stderr()
    if not terminal.is_terminal:
        yield _lines(unit)
        return
    amount: ProgressColumn = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda what, done, total: progress.update(
            task, description=what, completed=done, total=total
        )


def _lines(unit: Unit) -> Count:
    last = time.monotonic()

    def count(what: str, done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            console.note(f"{what}: {_amount(done, unit)} of {_amount(total, unit)}")

    return count


def _amount(number: int | None, unit: Unit) -> str:
    if number is None:
        return "?"
    return f"{number / 1e6:.0f} MB" if unit == "bytes" else f"{number} {unit}"
