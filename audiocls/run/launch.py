"""`launch`: bring a study to its end, or as far as time and patience allow.

Without torch: a finished study is recognised by its files, and workers start only for what is
missing.
"""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from audiocls.run.executors import Executor
from audiocls.run.interrupt import stop_on_signal
from audiocls.run.scheduler import Launch, StoppedBy, Watch
from audiocls.run.task import Task
from audiocls.store import Cell, State, Study, StudyFolder, count_states, extended

OpenExecutor = Callable[[int, threading.Event], Executor]
"""From the number of missing trials and the wish to stop."""


@dataclass(frozen=True)
class Outcome:
    """What a launch ended with."""

    study: Study
    counts: dict[State, int]
    """Over the trials that this launch was asked for."""
    num_trained: int
    stopped_by: StoppedBy | None
    is_replaced: bool
    """Whether the study's folder held another plan before."""

    @property
    def exit_code(self) -> int:
        """0 all done, 3 some failed, 75 stopped, 124 out of time."""
        if self.stopped_by is not None:
            return {"signal": 75, "budget": 124}[self.stopped_by]
        return 0 if self.counts["done"] == sum(self.counts.values()) else 3


def launch(
    folder: StudyFolder,
    study: Study,
    task_of: Callable[[Cell], Task],
    open_executor: OpenExecutor,
    watch: Watch,
    max_s: float | None = None,
    is_exclusive: bool = True,
) -> Outcome:
    """Train every trial of `study` that is neither finished nor failed, once.

    Raises `UsageError` if it is to be exclusive and another process is launching this study.
    """
    alone = folder.launching() if is_exclusive else nullcontext()
    with alone, stop_on_signal() as stop:
        asked = study.cells
        with folder.planning():
            study, is_replaced = _write_plan(folder, study)
        states = folder.states(asked)
        missing = [task_of(cell) for cell in asked if states[cell.id] in ("pending", "running")]
        num_done = sum(state == "done" for state in states.values())
        passed = Launch(missing, num_done, watch)
        if missing:
            passed.drive(open_executor(len(missing), stop), stop, max_s)
        counts = count_states(folder.states(asked) if missing else states)
        is_whole = not counts["pending"] and not counts["running"]
        stopped_by = None if is_whole else passed.stopped_by
        return Outcome(study, counts, passed.num_done, stopped_by, is_replaced)


def _write_plan(folder: StudyFolder, study: Study) -> tuple[Study, bool]:
    """The plan to keep: what was launched before under this question stays in it."""
    if not folder.exists():
        folder.write_study(study)
        return study, False
    before = folder.study()
    grown = extended(before, study)
    if grown != before:
        folder.write_study(grown)
    return grown, not set(before.cells) <= set(grown.cells)
