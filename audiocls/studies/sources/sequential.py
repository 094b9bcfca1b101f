"""`SequentialSource`: a study that grows until it is decided, one look's trials after another."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Done, Event, Failed
from audiocls.execution.trial_source import SourceProgress
from audiocls.store import State, Study, StudyFolder
from audiocls.store.reuse import copy_finished
from audiocls.studies.sources.fixed import OPEN, JobOf

NextLook = Callable[[Study], Study | None]
"""From a study whose trials have ended to the same with its next look, or none if it is over."""


@dataclass
class Looks:
    """The looks of a growing study, on disk and in memory."""

    folder: StudyFolder
    study: Study
    job_of: JobOf
    next_look: NextLook
    lender: StudyFolder | None = None

    def missing(self) -> list[AnyJob]:
        """Return what is to be trained of the looks so far, else of the next one.

        The plan is stored before its trials are offered. What is looked at follows from the store
        alone, so that an interrupted study grows to the same plan.
        """
        while not (jobs := self._unfinished()):
            with self.folder.planning():
                after = self._known() or self.next_look(self.study)
                if after is None:
                    return []
                self.folder.write_study(after)
            self.study = after
        return jobs

    def _known(self) -> Study | None:
        """Return the study as another launch has let it grow further."""
        stored = self.folder.study() if self.folder.exists() else self.study
        return stored if len(stored.looks) > len(self.study.looks) else None

    def _unfinished(self) -> list[AnyJob]:
        if self.lender is not None:
            copy_finished(self.study.cells, self.lender, self.folder)
        states = self.states()
        return [self.job_of(cell) for cell in self.study.cells if states[cell.id] in OPEN]

    def states(self) -> dict[str, State]:
        """Return the state of every trial so far, by trial id."""
        return self.folder.states(self.study.cells)


class SequentialSource:
    """Offers the next look's trials when all of the last one have ended."""

    def __init__(self, looks: Looks):
        self._looks = looks
        self._waiting: deque[AnyJob] = deque()
        self._open: set[str] = set()
        self._is_over = False
        self._num_done = self._num_failed = 0
        """Trials that ended since this source exists."""
        self._progress: SourceProgress | None = None

    @property
    def study(self) -> Study:
        """The study with the looks so far."""
        return self._looks.study

    @property
    def max_parallel(self) -> int:
        """The trials of the looks so far."""
        return len(self.study.cells)

    def has_next(self) -> bool:
        """Whether there is a trial to start now; begins the next look where none is left."""
        if not self._waiting and not self._open and not self._is_over:
            self._waiting.extend(self._looks.missing())
            self._is_over = not self._waiting
            self._progress = None
        return bool(self._waiting)

    def next(self) -> AnyJob | None:
        """Return a trial of the present look."""
        if not self.has_next():
            return None
        job = self._waiting.popleft()
        self._open.add(job.id)
        return job

    def is_over(self) -> bool:
        """Whether every comparison is decided, or the budget is spent."""
        return self._is_over

    def tell(self, event: Event) -> None:
        """Note that a trial has ended; an interrupted one has not, and nothing is decided yet."""
        if isinstance(event, Done | Failed):
            self._open.discard(event.id)
            self._num_done += isinstance(event, Done)
            self._num_failed += isinstance(event, Failed)

    def trials_to_stop(self) -> Sequence[str]:
        """Return nothing: no trial of an ablation is ended early."""
        return ()

    def progress(self) -> SourceProgress:
        """Return the trials of the looks so far; the store is read once for each look."""
        if self._progress is None:
            num_done = list(self.states().values()).count("done")
            num_left = len(self._waiting) + len(self._open)
            self._progress = SourceProgress(
                num_total=num_done + self._num_failed + num_left,
                num_reused=num_done - self._num_done,
                stage=f"look {len(self.study.looks)}",
            )
        return self._progress

    def states(self) -> Mapping[str, State]:
        """Return the state of every trial so far, by trial id."""
        return self._looks.states()
