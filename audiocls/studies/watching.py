"""`StudyWatch`: how a study stands while others work on it, read from its folder alone."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from audiocls.execution.messages import Done, Epoch, Running, Status
from audiocls.execution.time_left import MOST_KEPT, TimeLeft
from audiocls.store import Cell, Proposal, Record, State, StudyFolder, count_states
from audiocls.studies.slurm.tasks import Queue
from audiocls.studies.status import at_work, status_of, sweep_of, tuning_of

LOOK_EVERY_S = 1.0
LEAST_REST = 5.0
"""Times as long as a look took, at least, until the next: a large study is not all that is read."""
Trial = Cell | Proposal


@dataclass
class StudyWatch:
    """What is known of a study's trials as of the last look; ended ones are read once."""

    folder: StudyFolder
    clock: Callable[[], float] = time.time
    states: dict[str, State] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    """Trial id → epochs so far, of those that are running."""
    counts: dict[State, int] = field(default_factory=dict)
    """State → number of the trials that the study has now."""

    def __post_init__(self) -> None:
        known, self._num_folds = status_of(self.folder), self.folder.study().num_folds
        self._name_of, self.states = known.name_of, dict(known.states)
        self._began, self._num_before = self.clock(), count_states(known.states)["done"]
        self._time_left = TimeLeft(self.clock)
        self._time_left.trials.extend(_durations(self.folder, known.cells))
        self._half_seen = {key for key, state in self.states.items() if state == "running"}
        self._metric, self._run_cap = _metric_and_cap(self.folder)
        self._queue = Queue((self.folder, *tuning_of(self.folder)))

    def look(self) -> Status:
        """Read how the trials stand now."""
        cells, failed = self.folder.cells(), []
        for cell in cells:
            before = self.states.get(cell.id)
            if before not in ("done", "failed"):
                self.states[cell.id] = self.folder.trial(cell.id).state()
                failed += [cell] if self.states[cell.id] == "failed" else []
        running = tuple(self._running(c) for c in cells if self.states[c.id] == "running")
        self._report_ended()
        self.counts = counts = count_states({cell.id: self.states[cell.id] for cell in cells})
        total = self._run_cap if self.folder.is_sweep() else len(cells)
        missing = None if total is None else total - counts["done"] - counts["failed"]
        return Status(
            num_total=total,
            num_done=counts["done"],
            num_reused=self._num_before,
            num_failed=counts["failed"],
            running=running,
            elapsed_s=self.clock() - self._began,
            left_s=None if missing is None else self._time_left.left_s(missing),
            messages=tuple(map(self._failure, failed)),
            study=self.folder.path,
        )

    def is_over(self) -> bool:
        """Whether no launch works on it, nor will one that is in the queue of a cluster."""
        states = self.states.values()
        has_work = not states or "pending" in states or "running" in states
        return not at_work(self.folder) and not (has_work and not self._queue.is_empty())

    def _running(self, cell: Trial) -> Running:
        trial = self.folder.trial(cell.id)
        rows, training = trial.history(), trial.config().get("train")
        known = training if isinstance(training, dict) and "select" in training else {}
        num_epochs = int(known.get("epochs", 0))
        if cell.id not in self.epochs:
            self._time_left.start(cell.id)
        elif len(rows) > self.epochs[cell.id]:
            self._time_left.tell(Epoch(cell.id, len(rows), num_epochs))
        self.epochs[cell.id] = len(rows)
        metric = str(known.get("select", self._metric)).replace("last", "val/loss")
        value = next((row[metric] for row in reversed(rows) if metric in row), None)
        label = self._label(cell)
        return Running(label, len(rows), num_epochs, metric=metric, value=value)

    def _report_ended(self) -> None:
        for trial_id in [each for each in self.epochs if self.states[each] != "running"]:
            del self.epochs[trial_id]
            if self.states[trial_id] == "done" and trial_id not in self._half_seen:
                self._time_left.tell(Done(trial_id))
            self._time_left.stop(trial_id)

    def _label(self, cell: Trial) -> str:
        block = f" {cell.block_label(self._num_folds)}" if isinstance(cell, Cell) else ""
        return f"{self._name_of(cell)}{block}"

    def _failure(self, cell: Trial) -> str:
        failure = self.folder.trial(cell.id).failure()
        why = f" ({failure.cause}): {failure.message}" if failure else ""
        return f"{self._label(cell)} failed{why}"


def watch(folder: StudyFolder, show: Callable[[Status], None]) -> None:
    """Show how a study stands, again and again, until no launch works on it any more."""
    seen = StudyWatch(folder)
    while True:
        is_over, began = seen.is_over(), time.monotonic()
        show(seen.look())
        if is_over:
            return
        time.sleep(max(LOOK_EVERY_S, LEAST_REST * (time.monotonic() - began)))


def _metric_and_cap(folder: StudyFolder) -> tuple[str, int | None]:
    """Return the metric that a program logs, and how many trials a search will have, if known."""
    study = folder.study()
    if study.kind != "search":
        return study.metric, None
    sweep = sweep_of(folder, study)
    return sweep.metric.name if sweep.metric else "", sweep.run_cap


def _durations(folder: StudyFolder, cells: Sequence[Trial]) -> list[float]:
    """Return the seconds that the latest trials took from their beginning to their record."""
    records = sorted(folder.records(cells).values(), key=lambda each: each.provenance.finished)
    return [s for each in records[-MOST_KEPT:] if (s := _duration_s(each)) is not None]


def _duration_s(record: Record) -> float | None:
    origin = record.provenance
    try:
        times = datetime.fromisoformat(origin.started), datetime.fromisoformat(origin.finished)
        return (times[1] - times[0]).total_seconds()
    except (TypeError, ValueError):
        return record.cost.wall_s
