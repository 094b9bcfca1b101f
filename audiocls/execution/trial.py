"""One native trial from its job to its record, with every failure contained.

The only place where training, the store and tracking meet.
"""

import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

import torch

from audiocls.audio.dataset import AudioDataset
from audiocls.config import Config
from audiocls.errors import DataError, MachineFault
from audiocls.execution.breakdown import class_breakdown
from audiocls.execution.devices import devices_of_trial
from audiocls.execution.followers import FollowerKilled, following
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import (
    Done,
    Ended,
    Event,
    Failed,
    Interrupted,
)
from audiocls.execution.probe import Tried, require_sound_here
from audiocls.execution.run_info import best_of, ending_of, run_info_of
from audiocls.execution.time_left import scoring_share
from audiocls.execution.trial_results import write_results
from audiocls.execution.trial_run import Meanwhile, TrialRun
from audiocls.execution.worker_cache import WorkerCache
from audiocls.machine.memory import is_of_memory
from audiocls.parts import KEPT
from audiocls.store import Attempt, Cause, Failure, Record
from audiocls.store.lease import LeaseLost
from audiocls.tracking import Ending, start
from audiocls.tracking.breakdown import ScoreBreakdown
from audiocls.training.fit import Diverged, EpochEnd, Signal, fit
from audiocls.training.memory import free_memory
from audiocls.training.progress import Progress
from audiocls.training.ranks import ALONE
from audiocls.training.score import score
from audiocls.training.state import TrainingState, build
from audiocls.training.step import EagerStep, StepForm

if TYPE_CHECKING:
    from audiocls.training.pretrain import Pretrained

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
    meanwhile: Meanwhile | None = None,
    form_of: Callable[[TrainingState], StepForm] = lambda state: EagerStep,
) -> None:
    """Train, score and record one trial; emit exactly one of Done, Failed and Interrupted.

    Where a run has to be uploaded, `Recorded` comes before `Done`, and `meanwhile` is called with
    what waits for the upload and emits the `Done`: it may do so while another trial is trained.

    `poll_signal` is called after each epoch. `form_of` says how steps are computed. A finished
    trial is not retrained; if a server opened a run for it, its metrics are logged to that run. A
    fault of the machine interrupts the trial, which keeps its snapshot. No exception leaves this
    function but an interrupt of the process.
    """
    run = TrialRun(job, worker_cache, emit, poll_signal, meanwhile)
    run.end(run.without_fault(partial(_attempt, run, form_of)))


def _attempt(run: TrialRun, form_of: Callable[[TrainingState], StepForm]) -> Callable[[], Ended]:
    """Train the trial, or log it where it is finished; return as `closing` does."""
    job = run.job
    if (record := job.trial.record()) is not None:
        job.trial.drop_resume()  # whoever wrote the record may have been killed before it did
        if job.tracking.run_id:
            return partial(_log_finished, job, record, run.worker_cache)
        return lambda: Done(job.id)
    try:
        ended, ending = _train(run, form_of)
    except Exception as error:
        ended, ending = ended_by(error, run), Ending(exit_code=1)
    return closing(run, ended, ending)


def ended_by(error: Exception, run: TrialRun) -> Ended:
    """Return how a trial has ended that was left by an error."""
    if isinstance(error, LeaseLost):
        return Interrupted(run.job.id, is_taken=True)
    if isinstance(error, FollowerKilled):
        return Interrupted(run.job.id, death=str(error))
    return failed(run, error)


def closing(run: TrialRun, ended: Ended, ending: Ending) -> Callable[[], Ended]:
    """Return what finishes the trackers of an attempt, and says how it ended."""
    if isinstance(ended, Failed):
        free_memory()  # before the next trial; the error may be part of a cycle
    run.is_uploading = isinstance(ended, Done) and run.is_run_online()
    return partial(run.close, ended, ending)


def _train(run: TrialRun, form_of: Callable[[TrainingState], StepForm]) -> tuple[Ended, Ending]:
    """Return how the attempt ended, for the scheduler and for the tracker."""
    run.open()
    job, config = run.job, run.config
    pretrained = None
    if config.has_stage:
        from audiocls.execution.pretraining import pretrained_for

        pretrained = pretrained_for(job, config, run.worker_cache, run.emit, run.poll_signal)
        if pretrained is None:
            return Interrupted(job.id), Ending(exit_code=1)
    dataset = dataset_of(run)
    is_alone = devices_of_trial() == 1
    followed = nullcontext(ALONE) if is_alone else following(job, config, run.worker_cache.cache)
    with followed as ranks:

        def end_epoch(end: EpochEnd) -> Signal:
            return ranks.broadcast_from_first(lambda: run.end_epoch(end))

        given = pretrained.weights if pretrained else None
        weights, snapshot = ranks.broadcast_from_first(lambda: (given, run.snapshot))
        state = build(config, dataset, weights, ranks=ranks)
        progress = fit(state, end_epoch, snapshot, form_of(state))
    return concluded(run, state, progress, pretrained)


def dataset_of(run: TrialRun) -> AudioDataset:
    """Return the data of a trial that was opened, once its parts were tried on this machine."""
    fingerprint, on_progress = run.job.spec.data_fingerprint, run.report_extraction
    dataset = run.worker_cache.dataset(run.config, fingerprint, on_progress=on_progress)
    require_sound_here(Tried(run.config, len(dataset.table.labels)), run.worker_cache.cache)
    split = dataset.table.split(run.config.fold, run.config.data.validation)
    run.scoring_share = scoring_share(split)
    return dataset


def concluded(
    run: TrialRun,
    state: TrainingState,
    progress: Progress,
    pretrained: "Pretrained | None" = None,
) -> tuple[Ended, Ending]:
    """Score and record a trial whose training is complete; return how the attempt ended."""
    job, config, dataset = run.job, run.config, state.dataset
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


def failed(run: TrialRun, error: Exception) -> Failed | Interrupted:
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
