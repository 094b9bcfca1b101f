"""One native trial from its job to its record, with every failure contained.

The only place where training, the store and tracking meet.
"""

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import gettempdir

import torch

from audiocls.config import Config, identity_config
from audiocls.errors import DataError, MachineFault
from audiocls.execution.breakdown import class_breakdown
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Done, Ended, Epoch, Event, Failed, Interrupted, Notice
from audiocls.execution.probe import Tried, require_sound_here
from audiocls.execution.provenance import now, provenance, reset_peak_memory
from audiocls.execution.run_info import best_of, ending_of, run_info_of
from audiocls.execution.trial_results import write_results
from audiocls.execution.worker_cache import WorkerCache
from audiocls.machine import fault_of
from audiocls.machine.memory import is_of_memory
from audiocls.parts import KEPT
from audiocls.store import Attempt, Cause, Failure, Provenance, Record
from audiocls.store.lease import LeaseLost
from audiocls.tracking import Ending, NullTracker, Tracker, start
from audiocls.tracking.breakdown import ScoreBreakdown
from audiocls.training.fit import Diverged, EpochEnd, Signal, fit
from audiocls.training.progress import Progress
from audiocls.training.score import score
from audiocls.training.state import build, resolve_device

STOPPED = 128 + signal.SIGTERM
"""Exit code of a W&B run that was stopped on the server, as W&B's own agent reports it."""
STOPPED_BY_BUTTON = "ended early: somebody stopped its W&B run"

NO_ATTEMPT = Attempt(number=0, origin=1)

CAUSES: tuple[tuple[type[BaseException], Cause], ...] = (
    (torch.OutOfMemoryError, "out_of_memory"),
    (Diverged, "nan"),
    (DataError, "data"),
    (TimeoutError, "timeout"),
)


def train_trial(
    job: NativeJob,
    worker_cache: WorkerCache,
    emit: Callable[[Event], None],
    poll_signal: Callable[[], Signal],
) -> None:
    """Train, score and record one trial; emit exactly one of Done, Failed and Interrupted.

    `poll_signal` is called after each epoch. A finished trial is not retrained; if a server opened
    a run for it, its metrics are logged to that run. A fault of the machine interrupts the trial,
    which keeps its snapshot. No exception leaves this function but an interrupt of the process.
    """
    run = TrialRun(job, worker_cache, emit, poll_signal)
    try:
        ended = _attempt(run)
    except (OSError, MachineFault) as error:  # not even a note could be written
        if (fault := run.fault_behind(error)) is None:
            raise
        ended = Interrupted(job.id, fault=str(fault))
    emit(ended)


def _attempt(run: "TrialRun") -> Ended:
    job = run.job
    if (record := job.trial.record()) is not None:
        job.trial.drop_resume()  # whoever wrote the record may have been killed before it did
        has_run = bool(job.tracking.run_id)
        return _log_finished(job, record, run.worker_cache) if has_run else Done(job.id)
    try:
        ended, ending = _train(run)
    except LeaseLost:
        ended, ending = Interrupted(job.id, is_taken=True), Ending(exit_code=1)
    except Exception as error:
        ended, ending = _failed(run, error), Ending(exit_code=1)
    return run.close(ended, ending)


@dataclass
class TrialRun:
    """One attempt at a trial: what it resumes from, who tracks it, who may stop it."""

    job: NativeJob
    worker_cache: WorkerCache
    emit: Callable[[Event], None]
    poll_scheduler: Callable[[], Signal]
    attempt: Attempt = NO_ATTEMPT
    tracker: Tracker = field(default_factory=NullTracker)
    stop_button: threading.Event = field(default_factory=threading.Event)
    """Set when the stop button of the W&B run is pressed."""
    config: Config = field(init=False)
    started: str = field(init=False)
    snapshot: bytes | None = field(init=False)
    """Training state to resume from; none for a trial that starts at its first epoch."""

    def open(self) -> None:
        """Count the attempt, read what it resumes from, and open its tracker.

        The tracker comes before the data and the model, where most failures lie: so a run that a
        server has opened is marked as failed, and not left open.
        """
        self.attempt = self.job.trial.begin()
        self.started = now()
        reset_peak_memory()
        self.config = Config.model_validate(self.job.spec.config, context=KEPT)
        self.attempt, self.snapshot = self._resume()
        tracking, reach = self.job.tracking, self.worker_cache.reach
        info = run_info_of(self.job, self.config, self.attempt, self.provenance())
        on_stop = self.stop_button.set
        self.tracker = start(tracking.mode, info, tracking.has_tensorboard, reach, on_stop)

    def _resume(self) -> tuple[Attempt, bytes | None]:
        """Return the attempt and the snapshot of an earlier one; say if that is damaged."""
        trial = self.job.trial
        attempt, snapshot, damage = trial.resume_attempt(Progress.num_epochs_of)
        if snapshot is None:
            trial.write_config(identity_config(self.config))
        if damage:
            self.emit(Notice(self.job.id, damage))
        return attempt, snapshot

    def provenance(self) -> Provenance:
        """Return where a record of this attempt that is made now comes from."""
        device, data = resolve_device(self.config.device), self.job.spec.data_fingerprint
        return provenance(device, identity_config(self.config), data, self.started)

    def poll_signal(self) -> Signal:
        """Return the scheduler's signal, or else FINISH once an early end was asked for.

        By the stop button of its W&B run, or by a launch whose stop rule has named it.
        """
        signal = self.poll_scheduler()
        is_enough = self.stop_button.is_set() or self.job.trial.wish.exists()
        return Signal.FINISH if is_enough and signal is Signal.CONTINUE else signal

    def end_epoch(self, end: EpochEnd) -> Signal:
        """Store, track and report an epoch; return whether training goes on."""
        # History before snapshot: a kill between the two costs a row that is trained again.
        self.job.trial.append_history(end.row)
        self.job.trial.write_resume(end.snapshot())
        self.tracker.log(end.row)
        self.emit(Epoch(self.job.id, int(end.row["epoch"]), end.num_epochs))
        return self.poll_signal()

    def close(self, ended: Ended, ending: Ending) -> Ended:
        """Finish the tracker; return `ended` with a note on what went wrong without harm."""
        is_stopped = self._is_stopped(ended)
        report = self.tracker.finish(replace(ending, exit_code=STOPPED) if is_stopped else ending)
        stopped = STOPPED_BY_BUTTON if is_stopped and self.stop_button.is_set() else ""
        note = "; ".join(filter(None, [stopped, report.note]))
        fault = ended.fault or report.fault
        return replace(ended, note=note, is_worker_spent=report.is_beyond_repair, fault=fault)

    def tell(self, line: str) -> None:
        """Report what takes its time before the first epoch."""
        self.emit(Notice(self.job.id, line))

    def fault_behind(self, error: Exception) -> MachineFault | None:
        """Return the fault of the machine that led to an error, if one did."""
        folders = self.job.study_folder, self.worker_cache.cache, Path(gettempdir())
        return fault_of(error, *folders)

    def _is_stopped(self, ended: Ended) -> bool:
        """Whether the trial ended early because its run was stopped on the server.

        A stop rule of this platform ends a trial early too, but only one without a server's run.
        """
        record = self.job.trial.record() if isinstance(ended, Done) else None
        if record is None or not record.early_stopped:
            return False
        is_ordered = bool(self.job.tracking.run_id) and self.poll_signal() is Signal.FINISH
        return self.stop_button.is_set() or is_ordered


def _train(run: TrialRun) -> tuple[Ended, Ending]:
    """Return how the attempt ended, for the scheduler and for the tracker."""
    run.open()
    job, config = run.job, run.config
    pretrained = None
    if config.has_stage:
        from audiocls.execution.pretraining import pretrained_for

        pretrained = pretrained_for(job, config, run.worker_cache, run.emit, run.poll_signal)
        if pretrained is None:
            return Interrupted(job.id), Ending(exit_code=1)
    dataset = run.worker_cache.dataset(config, job.spec.data_fingerprint, tell=run.tell)
    require_sound_here(Tried(config, len(dataset.table.labels)), run.worker_cache.cache)
    state = build(config, dataset, pretrained.weights if pretrained else None)
    progress = fit(state, run.end_epoch, run.snapshot)
    if not progress.is_complete:
        return Interrupted(job.id), Ending(best_of(progress.best_row), exit_code=1)
    scores = score(state.classifier, dataset, state.split.test, config.train)
    further = {
        name: score(state.classifier, dataset, clips, config.train)
        for name, clips in state.split.further.items()
    }
    every = {"test": scores, **further}
    record = write_results(job, run.attempt, state, progress, every, pretrained, run.provenance())
    logits, targets = scores.logits.numpy(), scores.targets.numpy()
    breakdown = partial(class_breakdown, dataset, state.split.test, logits, targets)
    return Done(job.id), ending_of(job, record, breakdown)


def _failed(run: TrialRun, error: Exception) -> Failed | Interrupted:
    """Return the failure as an event, written as a file too; the machine's fault interrupts."""
    job = run.job
    if (machines := run.fault_behind(error)) is not None:
        with suppress(OSError):  # the log's disk may be the one that is full
            print("".join(traceback.format_exception(error)), file=sys.stderr)
        return Interrupted(job.id, fault=str(machines))
    cause, message = _cause_of(error), f"{type(error).__name__}: {error}"
    text, fault = "".join(traceback.format_exception(error)), ""
    try:
        job.trial.fail(Failure(cause, message, text, run.attempt.number))
    except LeaseLost:
        return Interrupted(job.id, is_taken=True)
    except (OSError, MachineFault) as disk_error:
        message += f" (and failure.json could not be written: {disk_error})"
        fault = str(run.fault_behind(disk_error) or "")
    return Failed(job.id, cause, message, fault=fault)


def _cause_of(error: Exception) -> Cause:
    causes = (cause for kind, cause in CAUSES if isinstance(error, kind))
    return next(causes, "out_of_memory" if is_of_memory(error) else "error")


def _log_finished(job: NativeJob, record: Record, worker_cache: WorkerCache) -> Done:
    """Log a finished trial to the run that a server has opened for it."""
    config = Config.model_validate(job.spec.config, context=KEPT)
    attempt = Attempt(record.attempt, record.attempt)
    info = run_info_of(job, config, attempt, record.provenance)
    has_tensorboard, reach = job.tracking.has_tensorboard, worker_cache.reach
    tracker = start(job.tracking.mode, info, has_tensorboard, reach)

    def breakdown() -> ScoreBreakdown:
        dataset = worker_cache.dataset(config, job.spec.data_fingerprint)
        scored = job.trial.predictions()
        clips = dataset.table.split(config.fold, config.data.validation).test
        return class_breakdown(dataset, clips, scored["logits"], scored["labels"])

    report = tracker.finish(ending_of(job, record, breakdown))
    return Done(job.id, report.note, report.is_beyond_repair, report.fault)
