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

from audiocls.execution.messages import Watch
from audiocls.stop_signals import handled
from audiocls.store import StudyFolder, count_states
from audiocls.studies import status as studies
from audiocls.studies.launch import Outcome, Reason
from audiocls.studies.options import Display
from audiocls.studies.slurm.tasks import (
    Tasks,
    cancel_pending,
    queue_lines,
    queue_notes,
    tasks_of,
)
from audiocls.studies.watching import StudyWatch

LOOK_EVERY_S = 1.0
LEAST_REST = 10.0
"""Times as long as a look took, at least, until the next: a large study is not all that is read."""
ASK_FIRST_S, ASK_LAST_S, ASK_GROWTH = 1.0, 30.0, 1.5
"""Between two questions to the controller, which grow rarer: it serves the whole cluster."""

HOW_TO_LEAVE = (
    "Ctrl-C stops the study and cancels its pending tasks; they go on without you where this "
    "terminal is closed, and with --detach"
)


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
    display.note(HOW_TO_LEAVE)
    with display.watching() as watch, _interrupts() as interrupt:
        seen = _Seen(folder, watch)
        while not interrupt.end.is_set() and not seen.is_over():
            began = time.monotonic()
            seen.look()
            interrupt.end.wait(max(LOOK_EVERY_S, LEAST_REST * (time.monotonic() - began)))
        is_stopped = interrupt.stop.is_set()
        if interrupt.end.is_set() and not is_stopped:
            return submitted
        notes = _stop(seen) if is_stopped else ()
        seen.look()
    for text in notes or queue_notes(seen.tasks, *seen.folders):
        display.note(text)
    return seen.outcome(submitted, is_stopped)


def _stop(seen: "_Seen") -> tuple[str, ...]:
    """Stop the study, and return what became of its tasks."""
    stopped = studies.stop_launches(seen.folder)
    late = [f"still finishing an epoch: {launch.who}" for launch in stopped.left]
    return (*stopped.queue_notes, *late)


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
        self._trials = StudyWatch(self.folder)
        known = [studies.status_of(each) for each in self.folders]
        self._before = {each.folder: count_states(each.states)["done"] for each in known}
        self._known: set[tuple[str, str, str]] = set()

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
        """Read how the trials and the tasks stand, and show it."""
        if self._trials.folder != self.folder:
            self._trials = StudyWatch(self.folder)
        status = self._trials.look()
        self.counts = self._trials.counts
        self._ask()
        self._watch(
            replace(
                status,
                num_reused=self._before.get(self.folder, 0),
                elapsed_s=time.monotonic() - self._started,
                stage="tuning" if self.folder.study().kind == "tuning" else "",
                messages=(*status.messages, *self._news()),
            )
        )

    def _news(self) -> Iterator[str]:
        """Yield what is in the queue whenever tasks begin, end, or are pending for a new reason."""
        shown = [each for each in self.tasks or () if each.reason or each.state == "RUNNING"]
        kinds = {(each.job, each.state, each.reason) for each in shown}
        if kinds - self._known:
            yield from queue_lines(shown)
        self._known = kinds

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
