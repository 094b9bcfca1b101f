"""`TrialRun`: one attempt at a trial; it stores, tracks and reports each epoch."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIGTERM
from tempfile import gettempdir
from typing import TypeVar

from audiocls.config import Config, identity_config
from audiocls.errors import MachineFault
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import (
    Done,
    Ended,
    Epoch,
    Event,
    Extraction,
    Interrupted,
    Notice,
    Recorded,
)
from audiocls.execution.provenance import now, provenance, reset_peak_memory
from audiocls.execution.run_info import run_info_of
from audiocls.execution.snapshots import Snapshots
from audiocls.execution.worker_cache import WorkerCache
from audiocls.machine import fault_of
from audiocls.parts import KEPT
from audiocls.store import Attempt, Provenance
from audiocls.tracking import Ending, NullTracker, Tracker, start
from audiocls.training.device import resolve_device
from audiocls.training.fit import EpochEnd, Signal
from audiocls.training.progress import Progress

R = TypeVar("R")
Meanwhile = Callable[[Callable[[], None]], None]
"""Is called with what waits for an upload, and calls that while other trials are trained."""
STOPPED = 128 + SIGTERM
"""Exit code of a W&B run that was stopped on the server, as W&B's own agent reports it."""
STOPPED_BY_BUTTON = "ended early: somebody stopped its W&B run"
NO_ATTEMPT = Attempt(number=0, origin=1)


@dataclass
class TrialRun:
    """One attempt at a trial: what it resumes from, who tracks it, who may stop it."""

    job: NativeJob
    worker_cache: WorkerCache
    emit: Callable[[Event], None]
    poll_scheduler: Callable[[], Signal]
    meanwhile: Meanwhile | None = None
    attempt: Attempt = NO_ATTEMPT
    tracker: Tracker = field(default_factory=NullTracker)
    scoring_share: float = 0.0
    """What scoring the test clips will take, as a share of an epoch."""
    is_uploading: bool = False
    """Whether its record is written, and its run on a server may end while another trial trains."""
    stop_button: threading.Event = field(default_factory=threading.Event)
    """Set when the stop button of the W&B run is pressed."""
    snapshots: Snapshots = field(init=False)
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
        self.snapshots = Snapshots(self.job.trial)
        reset_peak_memory()
        self.config = Config.model_validate(self.job.spec.config, context=KEPT)
        self.read_snapshot()
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

    def read_snapshot(self) -> None:
        """Resume from what is stored, also where an attempt to train failed before it was."""
        self.attempt, self.snapshot = self._resume()

    def provenance(self) -> Provenance:
        """Return where a record of this attempt that is made now comes from."""
        device, data = resolve_device(self.config.device), self.job.spec.data_fingerprint
        return provenance(device, identity_config(self.config), data, self.started)

    def poll_signal(self) -> Signal:
        """Return the scheduler's signal, or else FINISH once an early end was asked for.

        By the stop button of its W&B run, or by a launch whose stop rule has named it.
        """
        signal = self.poll_scheduler()
        is_enough = self.stop_button.is_set() or self.job.trial.stop_request.exists()
        return Signal.FINISH if is_enough and signal is Signal.CONTINUE else signal

    def end_epoch(self, end: EpochEnd) -> Signal:
        """Store, track and report an epoch; return whether training goes on."""
        # History before snapshot: a kill between the two costs rows that are trained again.
        self.job.trial.append_history(end.row)
        self.tracker.log(end.row)
        select = self.config.train.select
        metric = "val/loss" if select == "last" else select
        epoch, value = int(end.row["epoch"]), end.row.get(metric)
        share = self.scoring_share
        self.emit(Epoch(self.job.id, epoch, end.num_epochs, metric, value, share))
        signal = self.poll_signal()
        self.snapshots.end_epoch(end, signal)
        return signal

    def report_extraction(self, num_done: int, num_clips: int) -> None:
        """Report for how many clips of how many features have been computed."""
        self.emit(Extraction(self.job.id, num_done, num_clips))

    def end(self, close: Callable[[], Ended] | Interrupted) -> None:
        """Emit how the attempt ended, once `close` has finished the trackers.

        Where that is an upload, the record is reported before, and others are trained meanwhile.
        """
        if isinstance(close, Interrupted):
            self.emit(close)
        elif self.meanwhile is None or not self.is_uploading:
            self.emit(self.without_fault(close))
        else:
            self.emit(Recorded(self.job.id))
            self.meanwhile(lambda: self.emit(self.without_fault(close)))

    def close(self, ended: Ended, ending: Ending) -> Ended:
        """Finish the tracker; return `ended` with a note on what went wrong without harm."""
        is_stopped = self._is_stopped(ended)
        report = self.tracker.finish(replace(ending, exit_code=STOPPED) if is_stopped else ending)
        stopped = STOPPED_BY_BUTTON if is_stopped and self.stop_button.is_set() else ""
        note = "; ".join(filter(None, [stopped, report.note]))
        fault = ended.fault or report.fault
        return replace(ended, note=note, is_worker_spent=report.is_beyond_repair, fault=fault)

    def is_run_online(self) -> bool:
        """Whether a server gets its run, and no choice of the next trial waits for it."""
        return self.job.tracking.mode == "online" and not self.job.tracking.is_awaited

    def without_fault(self, call: Callable[[], R]) -> R | Interrupted:
        """Return what a call does; `Interrupted` where not even a note could be written."""
        try:
            return call()
        except (OSError, MachineFault) as error:
            if (fault := self.fault_behind(error)) is None:
                raise
            return Interrupted(self.job.id, fault=str(fault))

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
