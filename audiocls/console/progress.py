"""A launch as one sees it: a live display in a terminal, a line now and then elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from audiocls import console
from audiocls.execution.devices import num_cores
from audiocls.execution.messages import Running, Status
from audiocls.formatting import format_elapsed, format_value

LINE_EVERY_S = 15.0
BAR_WIDTH = 40


@contextmanager
def watching() -> Iterator[Callable[[Status], None]]:
    """Yield a function to call with each new status."""
    terminal = console.stderr()
    if terminal.is_terminal:
        with Live(console=terminal, transient=True, refresh_per_second=5) as live:
            yield lambda status: _update(live, terminal, status)
    else:
        yield Lines(terminal)


class TerminalDisplay:
    """What a launch shows on the terminal: notes, and the progress of its trials.

    Two calls on threads prepare what is shown at the end: `after_first` once the first trial has
    ended, while others train; then `before_last`, with the study's folder, while the last trials
    train and leave a core free. The latter is not waited for, until the process ends.
    """

    def __init__(
        self,
        after_first: Callable[[], object] = lambda: None,
        before_last: Callable[[Path], object] = lambda study: None,
    ):
        self._after_first, self._before_last = after_first, before_last

    def note(self, text: str) -> None:
        """Show one sentence."""
        console.note(text)

    @contextmanager
    def watching(self) -> Iterator[Callable[[Status], None]]:
        """Show the progress of trials, as long as the context is open."""
        preparing = threading.Thread(target=self._after_first, daemon=True)
        is_warm = False
        with watching() as show:

            def update(status: Status) -> None:
                nonlocal is_warm
                show(status)
                if status.num_done > status.num_reused and preparing.ident is None:
                    preparing.start()
                is_prepared = preparing.ident is not None and not preparing.is_alive()
                if is_prepared and not is_warm and has_idle_core(status):
                    is_warm = True
                    threading.Thread(target=self._before_last, args=(status.study,)).start()

            yield update
        if preparing.ident is not None:
            preparing.join()


def has_idle_core(status: Status) -> bool:
    """Whether no trial of the study waits, and fewer run than there are cores here."""
    num_running = len(status.running)
    are_last = status.num_done + status.num_failed + num_running == status.num_total
    return status.study is not None and are_last and 0 < num_running < num_cores()


def _update(live: Live, terminal: Console, status: Status) -> None:
    _print_messages(terminal, status)
    live.update(progress_view(status))


def progress_view(status: Status) -> Group:
    """Return a bar, the counts, and the running trials."""
    finished = status.num_done + status.num_failed
    total = None if status.num_total is None else max(1, status.num_total)
    bar = Table.grid()
    bar.add_row(ProgressBar(total=total, completed=finished, width=BAR_WIDTH))
    trials = Table.grid(padding=(0, 2))
    trials.add_column(no_wrap=True)
    trials.add_column()  # alone it gives way in a narrow terminal
    trials.add_column(no_wrap=True)
    for trial in status.running:
        doing = "  pre-training" if trial.is_pretraining else "  training"
        doing = "  features" if trial.clips else doing
        trials.add_row(
            Text(doing, style="dim"),
            Text(trial.label, no_wrap=True, overflow="ellipsis"),
            Text(_epochs(trial)),
        )
    return Group(summary(status), bar, trials)


def _epochs(trial: Running) -> str:
    """Return the epochs so far and, where that is known, of how many."""
    if trial.clips:
        return f"clip {trial.clips[0]}/{trial.clips[1]}" if trial.clips[1] else "waiting"
    if trial.num_epochs:
        return f"epoch {trial.epoch}/{trial.num_epochs}{_metric(trial)}"
    return f"{trial.epoch} logged{_metric(trial)}" if trial.epoch else "starting"


def _metric(trial: Running) -> str:
    """Return what was logged last: ` · val/accuracy 0.71`."""
    is_known = trial.metric and trial.value is not None
    return f" · {trial.metric} {format_value(trial.value)}" if is_known else ""


def summary(status: Status, is_alone: bool = False) -> Text:
    """Return `12/40 done · 2 running (1 pre-training, epoch 3/20) · 0 failed · 1 min 20 s left`.

    Where no line for each trial stands below it, `is_alone`, it has how far the foremost one is.
    """
    stages = _stages(status) or (_foremost(status) if is_alone else "")
    parts = [
        (f"{status.stage}: " if status.stage else "", ""),
        (_done(status), "bold"),
        (" · ", "dim"),
        (f"{len(status.running)} running{stages}", ""),
        (" · ", "dim"),
        (f"{status.num_failed} failed", "bold red" if status.num_failed else ""),
        (" · ", "dim"),
        (f"{format_elapsed(status.elapsed_s)} elapsed, {format_elapsed(status.left_s)} left", ""),
    ]
    return Text.assemble(*parts)


def _done(status: Status) -> str:
    total = "" if status.num_total is None else f"/{status.num_total}"
    return f"{status.num_done}{total} done"


def _stages(status: Status) -> str:
    """Return how many trials compute features or pre-train: without epochs of their own yet, they
    are not hung."""
    extracted = [trial.clips for trial in status.running if trial.clips]
    if extracted:
        done, num_clips = max(extracted, key=lambda clips: clips[1])
        return f" ({len(extracted)} at features, clip {done}/{num_clips})"
    stages = [trial for trial in status.running if trial.is_pretraining]
    if not stages:
        return ""
    slowest = min(stages, key=lambda trial: trial.epoch)
    return f" ({len(stages)} pre-training, epoch {slowest.epoch}/{slowest.num_epochs})"


def _foremost(status: Status) -> str:
    """Return how far the foremost trial is, and what it logged last."""
    foremost = max(status.running, key=lambda trial: trial.epoch, default=None)
    return f" ({_epochs(foremost)})" if foremost and foremost.epoch else ""


def _print_messages(terminal: Console, status: Status) -> None:
    for message in status.messages:
        console.message(terminal, message)


class Lines:
    """For logs and pipes: a line at the start, at the end and every few seconds."""

    def __init__(self, terminal: Console):
        self._terminal = terminal
        self._last = float("-inf")
        self._was_over = False

    def __call__(self, status: Status) -> None:
        _print_messages(self._terminal, status)
        is_over = status.num_done + status.num_failed == status.num_total
        is_news, self._was_over = is_over and not self._was_over, is_over
        if is_news or time.monotonic() - self._last >= LINE_EVERY_S:
            self._last = time.monotonic()
            self._terminal.print(summary(status, is_alone=True), soft_wrap=True)
