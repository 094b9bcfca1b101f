"""How a call shows its progress: in a terminal, in a notebook, as the caller says, or not."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from html import escape
from typing import Any

from audiocls.console.progress import TerminalDisplay, summary
from audiocls.execution.messages import Display, Status

EVERY_S = 0.5
"""Between two updates in a notebook."""

Progress = bool | Display
"""True: shown where the call is made; False: not shown; a `Display`: as that shows it."""


def display_of(progress: Progress) -> Display:
    """Return what shows the progress of a call."""
    if not isinstance(progress, bool):
        return progress
    if not progress:
        return SilentDisplay()
    return NotebookDisplay() if is_in_notebook() else TerminalDisplay()


def is_in_notebook() -> bool:
    """Whether this code runs in a cell of a notebook, and not in IPython's terminal."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = type(get_ipython())
    return any(base.__name__ == "ZMQInteractiveShell" for base in shell.__mro__)


class SilentDisplay:
    """Shows nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    @contextmanager
    def watching(self) -> Iterator[Callable[[Status], None]]:
        """Show nothing, as long as the context is open."""
        yield lambda status: None


class NotebookDisplay:
    """Shows notes as lines below a cell, and the progress of trials as a bar that is kept."""

    def note(self, text: str) -> None:
        """Show one sentence."""
        print(text)

    def watching(self) -> AbstractContextManager[Callable[[Status], None]]:
        """Show the progress of trials, as long as the context is open."""
        return _bar()


@contextmanager
def _bar() -> Iterator[Callable[[Status], None]]:
    from IPython.display import display

    handle = display({"text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    last, status = float("-inf"), None

    def update(new: Status) -> None:
        nonlocal last, status
        for message in new.messages:
            print(message)
        status = new
        if time.monotonic() - last >= EVERY_S:
            last = time.monotonic()
            handle.update(bar_of(new), raw=True)

    try:
        yield update
    finally:
        if status is not None:
            handle.update(bar_of(status), raw=True)


def bar_of(status: Status) -> dict[str, Any]:
    """Return a launch's progress as a notebook's front end and a plain text show it."""
    text = summary(status).plain
    done = status.num_done + status.num_failed
    bar = f'<progress value="{done}" max="{status.num_total}"></progress> '
    running = "".join(
        f"<br>&emsp;{escape(trial.label)}: epoch {trial.epoch}"
        + (f" of {trial.num_epochs}" if trial.num_epochs else "")
        for trial in status.running
    )
    html = f"{bar if status.num_total else ''}{escape(text)}<small>{running}</small>"
    return {"text/plain": text, "text/html": html}
