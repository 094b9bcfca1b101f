"""One trial from its task to its record, with every failure contained.

The only place where training, the store and tracking meet.
"""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from audiocls.config import Config, identity_config
from audiocls.execution.breakdown import class_breakdown
from audiocls.execution.clock import now
from audiocls.execution.events import Done, Ended, Epoch, Event, Failed, Interrupted
from audiocls.execution.failure import failure_of
from audiocls.execution.job import Task
from audiocls.execution.meter import peak_memory_mib, provenance, reset_peak_memory
from audiocls.execution.pretraining import pretrained_for
from audiocls.execution.protocol import digest_of_test, protocol_of
from audiocls.execution.tracking_payload import best_of, ending_of, run_info_of
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Attempt, Cost, Failure, Provenance, Record
from audiocls.tracking import Ending, Tracker, start
from audiocls.tracking.breakdown import ScoreBreakdown
from audiocls.training.checkpoint import description_of, weights_of
from audiocls.training.cost import Spent, macs_of, num_params
from audiocls.training.fit import EpochEnd, Signal, fit
from audiocls.training.pretrain import Pretrained
from audiocls.training.progress import Progress
from audiocls.training.score import Scores, score
from audiocls.training.state import TrainingState, build, resolve_device

STOPPED = 128 + signal.SIGTERM
"""The status of a program that W&B's own agent ends."""
BY_BUTTON = "ended early: somebody stopped its W&B run"

Emit = Callable[[Event], None]
PollSignal = Callable[[], Signal]
"""What is wanted of the trial in hand, asked after each epoch."""


def train_trial(task: Task, worker_cache: WorkerCache, emit: Emit, poll_signal: PollSignal) -> None:
    """Train, score and record one trial; emits exactly one of Done, Failed and Interrupted.

    A finished trial is reported done without training, and told again to a W&B run that somebody
    else asked for. No exception leaves this function, an interrupt of the whole process excepted.
    """
    with task.trial.lease(timeout_s=10) as is_mine:
        if not is_mine:
            emit(Failed(task.cell.id, "error", "another process is training this trial"))
        elif (record := task.trial.record()) is not None:
            emit(_told_again(task, record, worker_cache) if task.run_id else Done(task.cell.id))
        else:
            _attempt(task, worker_cache, emit, poll_signal)


def _told_again(task: Task, record: Record, worker_cache: WorkerCache) -> Done:
    """All that a finished trial would have told while it was trained."""
    config = Config.model_validate(task.config)
    attempt = Attempt(record.attempt, record.attempt)
    info = run_info_of(task, config, attempt, record.provenance)
    tracker = start(task.wandb, info, task.has_tensorboard, worker_cache.reach)

    def evidence() -> ScoreBreakdown:
        sounds, scored = (
            worker_cache.sounds(config, task.data_fingerprint),
            task.trial.predictions(),
        )
        clips = sounds.table.split(config.fold).test
        return class_breakdown(sounds, clips, scored["logits"], scored["labels"])

    told = tracker.finish(ending_of(task, record, evidence))
    return Done(task.cell.id, told.note, told.is_beyond_repair)


def _attempt(task: Task, worker_cache: WorkerCache, emit: Emit, poll_signal: PollSignal) -> None:
    number = 0
    try:
        attempt = task.trial.begin()
        number = attempt.number
        emit(_tracked(task, attempt, worker_cache, emit, poll_signal))
    except Exception as error:
        emit(_failed(task, failure_of(error, number)))


def _failed(task: Task, failure: Failure) -> Failed:
    """The failure as an event, and as a file if the disk still takes one."""
    message = failure.message
    try:
        task.trial.fail(failure)
    except OSError as error:
        message += f" (and failure.json could not be written: {error})"
    return Failed(task.cell.id, failure.cause, message)


def _tracked(
    task: Task, attempt: Attempt, worker_cache: WorkerCache, emit: Emit, poll_signal: PollSignal
) -> Ended:
    """The trial, and what its tracker says of it in the end.

    The tracker is opened before the data and the model, where most failures lie: a run that a
    server has named is to hear how it ended.
    """
    started = now()
    reset_peak_memory()
    config = Config.model_validate(task.config)
    resume = _go_on_or_start(task, config)
    made = provenance(resolve_device(config.device), task.data_fingerprint, started)
    info, button = run_info_of(task, config, attempt, made), threading.Event()
    tracker = start(task.wandb, info, task.has_tensorboard, worker_cache.reach, button.set)
    asked = TrialContext(
        task, config, attempt, started, worker_cache, emit, partial(_wanted, poll_signal, button)
    )
    ended: Ended
    try:
        ended, ending = _train(asked, tracker, resume)
    except Exception as error:
        ended, ending = _failed(task, failure_of(error, attempt.number)), Ending(exit_code=1)
    is_stopped = _is_stopped(asked, ended, button)
    told = tracker.finish(replace(ending, exit_code=STOPPED) if is_stopped else ending)
    by_button = BY_BUTTON if is_stopped and button.is_set() else ""
    note = "; ".join(filter(None, [by_button, told.note]))
    return replace(ended, note=note, is_worker_spent=told.is_beyond_repair)


@dataclass(frozen=True)
class TrialContext:
    """An attempt at a trial: what it is, and since when it runs."""

    task: Task
    config: Config
    attempt: Attempt
    started: str
    worker_cache: WorkerCache
    emit: Emit
    poll_signal: PollSignal


def _train(asked: TrialContext, tracker: Tracker, resume: bytes | None) -> tuple[Ended, Ending]:
    task, config = asked.task, asked.config
    pretrained = _pretrained(asked)
    if config.has_stage and pretrained is None:
        return Interrupted(task.id), Ending(exit_code=1)
    sounds = asked.worker_cache.sounds(config, task.data_fingerprint)
    parts = build(config, sounds, pretrained.weights if pretrained else None)
    progress = fit(parts, _on_epoch(asked, tracker), resume)
    if not progress.is_complete:
        return Interrupted(task.id), Ending(best_of(progress.best_row), exit_code=1)
    test = score(parts.classifier, parts.sounds, parts.split.test, config.train)
    record = _finish(asked, parts, progress, test, pretrained)
    return Done(task.id), ending_of(task, record, partial(_evidence, parts, test))


def _pretrained(asked: TrialContext) -> Pretrained | None:
    if not asked.config.has_stage:
        return None
    return pretrained_for(
        asked.task, asked.config, asked.worker_cache, asked.emit, asked.poll_signal
    )


def _wanted(poll_signal: PollSignal, button: threading.Event) -> Signal:
    """Whoever presses a run's stop button wants the trial to end with what it has."""
    asked = poll_signal()
    return Signal.FINISH if asked is Signal.CONTINUE and button.is_set() else asked


def _is_stopped(asked: TrialContext, ended: Ended, button: threading.Event) -> bool:
    """Whether the trial ended early because its run was stopped on the server.

    The end that a stop rule of ours brings is no such end.
    """
    record = asked.task.trial.record() if isinstance(ended, Done) else None
    is_ordered = bool(asked.task.run_id) and asked.poll_signal() is Signal.FINISH
    return record is not None and record.early_stopped and (button.is_set() or is_ordered)


def _go_on_or_start(task: Task, config: Config) -> bytes | None:
    """The snapshot to resume from; history is cut to the epochs that it has seen."""
    resume = task.trial.resume()
    if resume is None:
        task.trial.write_config(identity_config(config))
        task.trial.keep_history(0)
    else:
        task.trial.keep_history(Progress.num_epochs_of(resume))
    return resume


def _on_epoch(asked: TrialContext, tracker: Tracker) -> Callable[[EpochEnd], Signal]:
    trial = asked.task.trial

    def on_epoch(end: EpochEnd) -> Signal:
        # History before snapshot: a kill between the two costs a row that is trained again.
        trial.append_history(end.row)
        trial.write_resume(end.snapshot())
        tracker.log(end.row)
        asked.emit(Epoch(trial.id, int(end.row["epoch"]), end.num_epochs))
        return asked.poll_signal()

    return on_epoch


def _finish(
    asked: TrialContext,
    parts: TrainingState,
    progress: Progress,
    test: Scores,
    pretrained: Pretrained | None,
) -> Record:
    """Write what the trial leaves, its test clips scored this once; the record last."""
    task, clips = asked.task, [parts.sounds.table.clips[i] for i in parts.split.test]
    task.trial.write_predictions(
        {
            "clips": np.array([clip.id for clip in clips]),
            "sources": np.array([clip.source for clip in clips]),
            "labels": test.targets.numpy(),
            "logits": test.logits.numpy(),
        }
    )
    task.trial.write_checkpoint(
        weights_of(parts.classifier), description_of(parts.config, parts.sounds.table.labels)
    )
    record = Record(
        id=task.cell.id,
        seed=task.cell.seed,
        fold=task.cell.fold,
        attempt=asked.attempt.number,
        metrics={**test.test(), **_chosen(progress), **_of_stage(pretrained)},
        cost=_cost(parts, progress, pretrained.spent if pretrained else Spent()),
        provenance=_origin(asked, parts),
        num_train=len(parts.split.train),
        num_val=len(parts.split.val),
        num_test=len(parts.split.test),
        early_stopped=progress.epoch < parts.config.train.epochs,
        notes=tuple(transfer.sentence() for transfer in parts.transfers),
        test_clips=digest_of_test(parts.sounds.table, parts.config.fold),
        first_losses=tuple(loss.hex() for loss in progress.first_losses),
    )
    task.trial.finish(record)
    return record


def _origin(asked: TrialContext, parts: TrainingState) -> Provenance:
    return replace(
        provenance(parts.device, asked.task.data_fingerprint, asked.started),
        protocol=protocol_of(identity_config(parts.config)),
    )


def _chosen(progress: Progress) -> dict[str, float]:
    best = progress.best_row
    validation = {key: value for key, value in best.items() if key.startswith("val/")}
    return {**validation, "best/epoch": best["epoch"]}


def _of_stage(pretrained: Pretrained | None) -> dict[str, float]:
    metrics = pretrained.metrics if pretrained else {}
    return {f"pretrain/{name}": value for name, value in metrics.items()}


def _cost(parts: TrainingState, progress: Progress, stage: Spent) -> Cost:
    spent = progress.spent + stage
    return Cost(
        num_params=num_params(parts.classifier),
        macs=macs_of(parts.config, len(parts.sounds.table.labels)),
        epochs=progress.epoch,
        steps=spent.steps,
        samples=spent.samples,
        gradient_passes=spent.gradient_passes,
        wall_s=round(spent.wall_s, 3),
        process_s=round(spent.process_s, 3),
        peak_memory_mib=round(peak_memory_mib(), 1),
    )


def _evidence(parts: TrainingState, test: Scores) -> ScoreBreakdown:
    return class_breakdown(
        parts.sounds, parts.split.test, test.logits.numpy(), test.targets.numpy()
    )
