"""`follow`: the progress of a job array, read from the study's folder until no task is left.

The tasks do not depend on who follows them: a closed terminal ends the watch, and Ctrl-C stops the
study.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from audiocls.execution.messages import Running, Status, Watch
from audiocls.stop_signals import handled
from audiocls.store import Cell, Proposal, StudyFolder, count_states
from audiocls.studies import status as studies
from audiocls.studies.launch import Outcome, Reason
from audiocls.studies.options import Display
from audiocls.studies.slurm.tasks import Tasks, cancel_pending, queue_notes, tasks_of

LOOK_EVERY_S = 1.0
LEAST_REST = 10.0
"""Times as long as a look took, at least, until the next: a large study is not all that is read."""
ASK_FIRST_S, ASK_LAST_S, ASK_GROWTH = 1.0, 30.0, 1.5
"""Between two questions to the controller, which grow rarer: it serves the whole cluster."""


@dataclass
class Interrupt:
    """What whoever follows wants to end: the watch, and the study with it."""

    end: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)


def follow(submitted: Outcome, folder: StudyFolder, display: Display) -> Outcome:
    """Show the progress of a study's tasks until none is left; return how the study stands then.

    Ctrl-C stops it everywhere, and cancels what is pending. Where the watch alone was ended, the
    outcome is what it was.
    """
    with display.watching() as watch, _interrupts() as interrupt:
        seen = _Seen(folder, watch)
        while not interrupt.end.is_set() and not seen.is_over():
            began = time.monotonic()
            seen.look()
            interrupt.end.wait(max(LOOK_EVERY_S, LEAST_REST * (time.monotonic() - began)))
        if interrupt.stop.is_set():
            studies.stop_launches(seen.folder)
        elif interrupt.end.is_set():
            return submitted
        seen.look()
    for text in queue_notes(seen.tasks, *seen.folders):
        display.note(text)
    return seen.outcome(submitted, is_stopped=interrupt.stop.is_set())


@contextmanager
def _interrupts() -> Iterator[Interrupt]:
    interrupt = Interrupt()

    def handle(number: int) -> None:
        if interrupt.stop.is_set():
            raise KeyboardInterrupt
        if number == signal.SIGINT:
            interrupt.stop.set()
        interrupt.end.set()

    with handled(handle):
        yield interrupt


class _Seen:
    """What is known of a study's tasks and trials, as of the last look."""

    def __init__(self, first: StudyFolder, watch: Watch):
        self._first, self._watch = first, watch
        self.tasks: Tasks = None
        self.counts = count_states({})
        self._started, self._queried_at = time.monotonic(), float("-inf")
        self._ask_every_s = ASK_FIRST_S
        known = [studies.status_of(each) for each in self.folders]
        self._before = {each.folder: count_states(each.states)["done"] for each in known}
        self._failed = {trial_id for each in known for trial_id in each.failures}

    @property
    def folder(self) -> StudyFolder:
        """The study, or its tuning trials as long as those are all that there is."""
        plan = self._first.study()
        main = StudyFolder(self._first.path.with_name(plan.of)) if plan.kind == "tuning" else None
        return main if main is not None and main.exists() else self._first

    @property
    def folders(self) -> tuple[StudyFolder, ...]:
        """Where job arrays of the study are kept."""
        return (self.folder, *studies.tuning_of(self.folder))

    @property
    def num_trained(self) -> int:
        """Trials that were finished since the first look."""
        return self.counts["done"] - self._before.get(self.folder, 0)

    def look(self) -> None:
        """Read how the trials stand, and show it; ask for the queue now and then."""
        known = studies.status_of(self.folder)
        self.counts = count_states(known.states)
        new = [each for each in known.cells if each.id in known.failures.keys() - self._failed]
        self._failed.update(each.id for each in new)
        self._watch(
            Status(
                num_total=sum(self.counts.values()),
                num_done=self.counts["done"],
                num_reused=self._before.get(self.folder, 0),
                num_failed=self.counts["failed"],
                running=tuple(_running(known)),
                elapsed_s=time.monotonic() - self._started,
                left_s=self._left_s(),
                stage="tuning" if known.folder.study().kind == "tuning" else "",
                messages=tuple(_failure(known, each) for each in new),
            )
        )
        self._ask()

    def _ask(self) -> None:
        every_s = self._ask_every_s if self._is_busy() else ASK_FIRST_S
        if time.monotonic() < self._queried_at + every_s:
            return
        self.tasks = tasks_of(*self.folders)
        self._queried_at = time.monotonic()
        self._ask_every_s = min(ASK_LAST_S, ASK_GROWTH * self._ask_every_s)

    def _is_busy(self) -> bool:
        return bool(self.counts["pending"] or self.counts["running"])

    def is_over(self) -> bool:
        """Whether no task is left, or none but those for which nothing is left to do."""
        if self.tasks is None:
            return False
        has_work = self._is_busy() or not self.counts["done"]
        if has_work or not all(task.is_pending for task in self.tasks):
            return not self.tasks
        cancel_pending(*self.folders)
        return True

    def _left_s(self) -> float | None:
        missing = self.counts["pending"] + self.counts["running"]
        gone_s = time.monotonic() - self._started
        return missing * gone_s / self.num_trained if self.num_trained else None

    def outcome(self, submitted: Outcome, is_stopped: bool) -> Outcome:
        """Return how the study stands now that its tasks have ended."""
        left: Reason | None = "tasks" if self._is_busy() else None
        return replace(
            submitted,
            study=self.folder.study(),
            counts=self.counts,
            num_trained=self.num_trained,
            stopped_by="signal" if is_stopped else left,
            submitted=None,
        )


def _running(known: studies.Status) -> Iterator[Running]:
    for cell in known.cells:
        if known.states[cell.id] == "running":
            trial = known.folder.trial(cell.id)
            num_epochs = trial.config().get("train", {}).get("epochs", 0)
            block = ", ".join(f"{key} {value}" for key, value in known.block_of(cell).items())
            label = ", ".join(filter(None, [known.name_of(cell), block]))
            yield Running(label, len(trial.history()), num_epochs)


def _failure(known: studies.Status, cell: Cell | Proposal) -> str:
    failure = known.failures[cell.id]
    return f"{known.name_of(cell)} failed ({failure.cause}): {failure.message}"
