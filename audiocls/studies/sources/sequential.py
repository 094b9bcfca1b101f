"""Studies that grow until they are decided: one look's trials after another, workers kept."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audiocls.execution.interrupt import stop_on_signal
from audiocls.execution.job import AnyJob, NativeJob
from audiocls.execution.messages import Done, Event, Failed
from audiocls.execution.scheduler import UNLIMITED, Launch, Limits, Watch
from audiocls.store import Cell, Study, StudyFolder, count_states
from audiocls.store.reuse import copy_finished
from audiocls.studies.launch import OpenExecutor, Outcome, write_plan

Grow = Callable[[Study], Study | None]
"""From a study whose trials have ended to the same with its next look, or none if it is over."""


class SequentialSource:
    """Asks for the next look's trials when all of the last one have ended."""

    def __init__(self, more: Callable[[], Sequence[AnyJob]]):
        self._more = more
        self._waiting: deque[AnyJob] = deque()
        self._open: set[str] = set()
        self._is_over = False

    def has_next(self) -> bool:
        """Whether there is anything to do now; asks for more where nothing is left."""
        if not self._waiting and not self._open and not self._is_over:
            self._waiting.extend(self._more())
            self._is_over = not self._waiting
        return bool(self._waiting)

    def next(self) -> AnyJob | None:
        if not self.has_next():
            return None
        work = self._waiting.popleft()
        self._open.add(work.id)
        return work

    def is_over(self) -> bool:
        return self._is_over

    def tell(self, event: Event) -> None:
        """An interrupted trial has not ended, and so nothing is decided without it."""
        if isinstance(event, Done | Failed):
            self._open.discard(event.id)

    def trials_to_stop(self) -> Sequence[str]:
        return ()


@dataclass
class _Growing:
    """The study of a launch as it is now, on disk and in memory."""

    folder: StudyFolder
    study: Study
    job_of: Callable[[Cell], NativeJob]
    grow: Grow
    lender: StudyFolder | None

    def missing(self) -> list[NativeJob]:
        """What is to be trained of the looks so far, else of the next; the plan is kept first."""
        while not (found := self._unfinished()):
            with self.folder.planning():
                after = self.grow(self.study)
                if after is None:
                    return []
                self.folder.write_study(after)
            self.study = after
        return found

    def _unfinished(self) -> list[NativeJob]:
        if self.lender is not None:
            copy_finished(self.study.cells, self.lender, self.folder)
        states = self.folder.states(self.study.cells)
        cells = [cell for cell in self.study.cells if states[cell.id] in ("pending", "running")]
        return [self.job_of(cell) for cell in cells]

    def num_done(self) -> int:
        return count_states(self.folder.states(self.study.cells))["done"]


def launch_until_decided(
    folder: StudyFolder,
    study: Study,
    job_of: Callable[[Cell], NativeJob],
    open_executor: OpenExecutor,
    watch: Watch,
    grow: Grow,
    limits: Limits = UNLIMITED,
    lender: StudyFolder | None = None,
) -> Outcome:
    """Train `study`, its first look, and each look that `grow` adds, until it adds none.

    What is looked at follows from the store alone: a launch that was interrupted goes on to the
    same plan. What `lender` has finished is copied. Raises `UsageError` if another process is
    launching this study, or if it is one that cannot be grown honestly.
    """
    with folder.launching(), stop_on_signal() as stop:
        with folder.planning():
            kept, is_replaced = write_plan(folder, study)
        growing = _Growing(folder, kept, job_of, grow, lender)
        passed = Launch(supply := SequentialSource(lambda: more()), 0, 0, watch, limits)

        def more() -> list[NativeJob]:
            missing = growing.missing()
            stage = f"look {len(growing.study.looks)}"
            passed.enlarge(len(missing), growing.num_done(), stage)
            return missing

        if supply.has_next():
            passed.drive(open_executor(len(growing.study.cells), stop), stop)
        counts = count_states(folder.states(growing.study.cells))
        stopped_by = None if supply.is_over() else passed.stopped_by
        notes = tuple(passed.notes)
        return Outcome(growing.study, counts, passed.num_done, stopped_by, is_replaced, notes)
