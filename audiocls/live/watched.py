"""`Watched`: one study that is looked at again and again, and `View`, what is seen of it."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from audiocls.live.answer import Answer, answer
from audiocls.live.behind import Behind
from audiocls.live.results import ENDED, Results
from audiocls.store import Cell, Proposal, State, Study, StudyFolder, count_states
from audiocls.store.glance import Glance
from audiocls.studies.labels import labelled, labels_of
from audiocls.studies.remaining import Underway, seconds_left, seconds_spent, underway
from audiocls.studies.request import relaunch_line
from audiocls.studies.status import (
    AtWork,
    Status,
    at_work,
    lines_of,
    naming,
    retry_command,
)

WAIT_S = 0.3
"""For what is computed behind the page, so that a small study is shown whole at once."""


@dataclass(frozen=True)
class View:
    """A study at one moment."""

    status: Status
    study: Study
    running: Mapping[str, Underway]
    at_work: Sequence[AtWork]
    answer: Answer | None
    """`None` until it was computed for the first time."""
    is_behind: bool
    """Whether results were read of fewer trials than have ended."""

    @property
    def name(self) -> str:
        return self.status.folder.name

    @property
    def cells(self) -> Sequence[Cell | Proposal]:
        return self.status.cells

    def label_of(self, cell: Cell | Proposal) -> str:
        """Return what tells a trial from the others: `dropout=0.1, seed 0, fold 3`."""
        name = self.status.name_of(cell)
        return f"{name}, seed {cell.seed}, fold {cell.fold}" if isinstance(cell, Cell) else name

    @cached_property
    def counts(self) -> dict[State, int]:
        return count_states(self.status.states)

    @property
    def is_running(self) -> bool:
        """Whether a launch works on it, or a trial runs without one, as under `wandb agent`."""
        return bool(self.at_work or self.running)

    @property
    def is_over(self) -> bool:
        """Whether no trial waits or runs, as far as the plan goes."""
        return not self.counts["pending"] and not self.counts["running"]

    @property
    def left_s(self) -> float | None:
        """Seconds until all planned trials have ended; `None` where nothing tells."""
        if self.answer is None:
            return None
        states, records = self.status.states, self.answer.records
        return seconds_left(self.cells, states, records, self.running)

    @property
    def spent_s(self) -> float:
        """Seconds of one worker in all finished trials."""
        return seconds_spent(self.answer.records) if self.answer else 0.0

    @property
    def failures(self) -> list[str]:
        """What failed, by cause, as `sweep status` says it."""
        return list(lines_of(self.status))

    @property
    def mending(self) -> str:
        """The command for failed trials, once their cause is mended."""
        if self.study.kind == "import":
            return self.launching
        return f"{retry_command(self.status.folder)} && {self.launching}"

    @property
    def launching(self) -> str:
        """The command that launches it again."""
        folder, num_trials = self.status.folder, len(self.status.cells)
        return relaunch_line(self.study, folder.path.parent, num_trials)

    @property
    def resuming(self) -> str:
        """The command that trains what is pending; empty while that is being done, or is over."""
        return "" if self.is_running or self.is_over else self.launching


class Watched:
    """One study and what was read of it so far; may be looked at from several threads."""

    def __init__(self, folder: StudyFolder):
        self.folder = folder
        self._glance = Glance(folder)
        self._results = Results(folder)
        self._behind = Behind[Answer]()
        self._plan: tuple[tuple[int, int], Study] | None = None
        self._lock = threading.Lock()

    @property
    def is_known(self) -> bool:
        """Whether it was looked at before, so that another look is cheap."""
        return self._plan is not None

    def plan(self) -> Study:
        """Return what was launched; raises `UsageError` or `Damaged` where that cannot be read."""
        with self._lock:
            return self._study()

    def counts(self) -> dict[State, int]:
        """Return how many trials are in each state, by their files alone."""
        with self._lock:
            return count_states(self._glance.states(self._cells(self._study())))

    def is_running(self) -> bool:
        """Whether a launch works on it now."""
        return bool(at_work(self.folder))

    def look(self, wait_s: float = WAIT_S) -> View:
        """Return the study as it is now; raises `UsageError` or `Damaged` where it has no plan.

        Waits up to `wait_s` for what takes longer; what is not there then comes with a later look.
        """
        with self._lock:
            study = self._study()
            shown = labelled(study, labels_of(study))
            cells = self._cells(shown)
            states = self._glance.states(cells)
            running = {
                id_: underway(self.folder.trial(id_))
                for id_, state in states.items()
                if state == "running"
            }
            answer = self._answer_of(study, states, running, wait_s)
        seen = _with_damages(states, answer)
        num_read = len(answer.records) + len(answer.failures) if answer else 0
        failures = dict(answer.failures) if answer else {}
        return View(
            Status(self.folder, cells, seen, failures, naming(shown, self.folder)),
            shown,
            running,
            at_work(self.folder),
            answer,
            num_read < sum(state in ENDED for state in states.values()),
        )

    def _answer_of(
        self,
        study: Study,
        states: Mapping[str, State],
        running: Mapping[str, Underway],
        wait_s: float,
    ) -> Answer | None:
        changes = self._glance.changes()
        ended = [(id_, changes.get(id_)) for id_, state in states.items() if state in ENDED]
        epochs = [(id_, each.epoch) for id_, each in running.items()]
        key = (self._plan and self._plan[0], len(states), hash(tuple(ended)), tuple(epochs))

        def compute() -> Answer:
            self._results.update(states, changes)
            return answer(self.folder, study, states, self._results)

        return self._behind.get(key, compute, wait_s)

    def _cells(self, study: Study) -> Sequence[Cell | Proposal]:
        return self.folder.proposals() if study.kind == "search" else study.cells

    def _study(self) -> Study:
        """Return the plan, read again where its file was written since."""
        try:
            known = (self.folder.path / "study.yaml").stat()
        except FileNotFoundError:
            return self.folder.study()
        written = known.st_mtime_ns, known.st_size
        if self._plan is None or self._plan[0] != written:
            self._plan = written, self.folder.study()
        return self._plan[1]


def _with_damages(states: Mapping[str, State], answer: Answer | None) -> dict[str, State]:
    """Return the states with *failed* for records that were damaged when they were read."""
    failed = answer.failures if answer else {}
    return {id_: "failed" if s == "done" and id_ in failed else s for id_, s in states.items()}
