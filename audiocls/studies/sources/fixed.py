"""`FixedSource`: the trials of a plan, all known beforehand."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Event
from audiocls.execution.trial_source import SourceProgress
from audiocls.store import Cell, State, Study, StudyFolder
from audiocls.store.reuse import copy_finished

JobOf = Callable[[Cell], AnyJob]
OPEN = ("pending", "running")
"""States of a trial that is neither finished nor failed."""


class FixedSource:
    """Cells of a study that are neither finished nor failed, in their order.

    What `lender` has finished is copied first. `is_repeated` offers finished trials too: their
    results are logged to a W&B run that another process has opened.
    """

    def __init__(
        self,
        folder: StudyFolder,
        study: Study,
        job_of: JobOf,
        cells: Sequence[Cell] | None = None,
        lender: StudyFolder | None = None,
        is_repeated: bool = False,
    ):
        self.study, self._folder = study, folder
        self._cells = study.cells if cells is None else cells
        if lender is not None:
            copy_finished(self._cells, lender, folder)
        self._known = folder.states(self._cells)
        offered = (*OPEN, "done") if is_repeated else OPEN
        self._job_of = job_of
        self._waiting = deque(c for c in self._cells if self._known[c.id] in offered)
        self.max_parallel = len(self._waiting)
        num_done = 0 if is_repeated else list(self._known.values()).count("done")
        self._progress = SourceProgress(num_done + len(self._waiting), num_done)

    def has_next(self) -> bool:
        """Whether there is a trial to start now."""
        return bool(self._waiting)

    def next(self) -> AnyJob | None:
        """Return the next trial of the plan."""
        return self._job_of(self._waiting.popleft()) if self._waiting else None

    def is_over(self) -> bool:
        """Whether every trial was offered."""
        return not self._waiting

    def tell(self, event: Event) -> None:
        """Ignore the event: a plan does not depend on results."""

    def trials_to_stop(self) -> Sequence[str]:
        """Return nothing: no trial of a plan is ended early."""
        return ()

    def progress(self) -> SourceProgress:
        """Return how many trials there are, and how many were finished before."""
        return self._progress

    def states(self) -> Mapping[str, State]:
        """Return the states of the cells; read anew only if something was to be trained."""
        return self._folder.states(self._cells) if self.max_parallel else self._known
