"""One trial from its task to its record, with every failure contained.

The only place where training, the store and tracking meet.
"""

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from audiocls.config import Config, identifying
from audiocls.dotted import flatten
from audiocls.run.clock import now
from audiocls.run.events import Done, Epoch, Event, Failed, Interrupted
from audiocls.run.evidence import evidence_of
from audiocls.run.failure import failure_of
from audiocls.run.meter import peak_memory_mib, provenance, reset_peak_memory
from audiocls.run.pretrained import pretrained_for
from audiocls.run.task import Task
from audiocls.run.warm import Warm
from audiocls.store import Attempt, Cost, Failure, Provenance, Record
from audiocls.track import Ending, RunInfo, Tracker, run_id_of, start
from audiocls.track.evidence import Evidence
from audiocls.train.checkpoint import description_of, weights_of
from audiocls.train.cost import Spent, macs_of, num_params
from audiocls.train.fit import EpochEnd, Signal, fit
from audiocls.train.parts import Parts, build, resolve_device
from audiocls.train.pretrain import Pretrained
from audiocls.train.progress import Progress
from audiocls.train.score import Scores, score

STOPPED = 128 + signal.SIGTERM
"""The status of a program that W&B's own agent ends."""
BY_BUTTON = "ended early: somebody stopped its W&B run"

Emit = Callable[[Event], None]
Wish = Callable[[], Signal]
"""What is wanted of the trial in hand, asked after each epoch."""


def train_trial(task: Task, warm: Warm, emit: Emit, wish: Wish) -> None:
    """Train, score and record one trial; emits exactly one of Done, Failed and Interrupted.

    A finished trial is reported done without training, and told again to a W&B run that somebody
    else asked for. No exception leaves this function, an interrupt of the whole process excepted.
    """
    with task.trial.lease(timeout_s=10) as is_mine:
        if not is_mine:
            emit(Failed(task.cell.id, "error", "another process is training this trial"))
        elif (record := task.trial.record()) is not None:
            emit(_told_again(task, record, warm) if task.run_id else Done(task.cell.id))
        else:
            _attempt(task, warm, emit, wish)


def _told_again(task: Task, record: Record, warm: Warm) -> Done:
    """All that a finished trial would have told while it was trained."""
    config = Config.model_validate(task.config)
    attempt = Attempt(record.attempt, record.attempt)
    info = _run_info(task, config, attempt, record.provenance)
    tracker = start(task.wandb, info, task.has_tensorboard, warm.reach)

    def evidence() -> Evidence:
        sounds, scored = warm.sounds(config, task.data_fingerprint), task.trial.predictions()
        clips = sounds.table.split(config.fold).test
        return evidence_of(sounds, clips, scored["logits"], scored["labels"])

    told = tracker.finish(_ending(task, record, evidence))
    return Done(task.cell.id, told.note, told.is_beyond_repair)


def _attempt(task: Task, warm: Warm, emit: Emit, wish: Wish) -> None:
    attempt = Attempt(0, 0)
    try:
        attempt = task.trial.begin()
        emit(_train(task, attempt, warm, emit, wish))
    except Exception as error:
        emit(_failed(task, failure_of(error, attempt.number)))


def _failed(task: Task, failure: Failure) -> Failed:
    """The failure as an event, and as a file if the disk still takes one."""
    message = failure.message
    try:
        task.trial.fail(failure)
    except OSError as error:
        message += f" (and failure.json could not be written: {error})"
    return Failed(task.cell.id, failure.cause, message)


def _train(task: Task, attempt: Attempt, warm: Warm, emit: Emit, wish: Wish) -> Done | Interrupted:
    started = now()
    reset_peak_memory()
    config = Config.model_validate(task.config)
    resume = _go_on_or_start(task, config)
    made = provenance(resolve_device(config.device), task.data_fingerprint, started)
    info, button = _run_info(task, config, attempt, made), threading.Event()
    # Opened before anything can fail: a run that a server has named is to hear how it ended.
    tracker = start(task.wandb, info, task.has_tensorboard, warm.reach, button.set)
    wish = partial(_wanted, wish, button)
    ending = Ending(exit_code=1)
    try:
        pretrained = pretrained_for(task, config, warm, emit, wish) if config.has_stage else None
        if config.has_stage and pretrained is None:
            return Interrupted(task.cell.id)
        sounds = warm.sounds(config, task.data_fingerprint)
        parts = build(config, sounds, pretrained.weights if pretrained else None)
        progress = fit(parts, _on_epoch(task, tracker, emit, wish), resume)
        ending = Ending(_best(progress.best_row), exit_code=1)
        if not progress.is_complete:
            return Interrupted(task.cell.id)
        test = score(parts.classifier, parts.sounds, parts.split.test, config.train)
        record = _finish(task, parts, progress, test, pretrained, attempt.number, started)
        is_stopped = record.early_stopped and (button.is_set() or _is_unwanted(task, wish))
        ending = _ending(task, record, partial(_evidence, parts, test))
        ending = replace(ending, exit_code=STOPPED if is_stopped else 0)
    finally:
        told = tracker.finish(ending)
    notes = [BY_BUTTON if is_stopped and button.is_set() else "", told.note]
    return Done(task.cell.id, "; ".join(filter(None, notes)), told.is_beyond_repair)


def _wanted(wish: Wish, button: threading.Event) -> Signal:
    """Whoever presses a run's stop button wants the trial to end with what it has."""
    asked = wish()
    return Signal.FINISH if asked is Signal.GO and button.is_set() else asked


def _is_unwanted(task: Task, wish: Wish) -> bool:
    """Whether the server that named the run has stopped it; a stop rule of ours is no such end."""
    return bool(task.run_id) and wish() is Signal.FINISH


def _go_on_or_start(task: Task, config: Config) -> bytes | None:
    """The snapshot to resume from; history is cut to the epochs that it has seen."""
    resume = task.trial.resume()
    if resume is None:
        task.trial.write_config(identifying(config))
        task.trial.keep_history(0)
    else:
        task.trial.keep_history(Progress.num_epochs_of(resume))
    return resume


def _on_epoch(task: Task, tracker: Tracker, emit: Emit, wish: Wish) -> Callable[[EpochEnd], Signal]:
    def on_epoch(end: EpochEnd) -> Signal:
        # History before snapshot: a kill between the two costs a row that is trained again.
        task.trial.append_history(end.row)
        task.trial.write_resume(end.snapshot())
        tracker.log(end.row)
        emit(Epoch(task.cell.id, int(end.row["epoch"]), end.num_epochs))
        return wish()

    return on_epoch


def _run_info(task: Task, config: Config, attempt: Attempt, made: Provenance) -> RunInfo:
    """A resumed trial resumes its run; one that begins anew gets a new one."""
    cell = {"study": task.study, "arm": task.cell.arm, "trial": task.cell.id}
    return RunInfo(
        id=task.run_id or run_id_of(task.id, task.study, attempt.origin),
        entity=task.entity,
        project=task.project,
        group=task.study,
        job_type=task.cell.arm,
        name=task.label,
        tags=task.tags,
        config={**task.parameters, **identifying(config), **cell, **_origin(attempt, made)},
        folder=task.study_folder,
        history=tuple(task.trial.history()),
        sweep_id=task.sweep_id,
    )


def _origin(attempt: Attempt, made: Provenance) -> dict[str, Any]:
    names = ("code", "audiocls", "python", "torch", "device", "host")
    versions = {name: getattr(made, name) for name in names}
    return {"attempt": attempt.number, "data_fingerprint": made.data, **versions}


def _finish(
    task: Task,
    parts: Parts,
    progress: Progress,
    test: Scores,
    pretrained: Pretrained | None,
    attempt: int,
    started: str,
) -> Record:
    """Write what the trial leaves, its test clips scored this once; the record last."""
    clips = [parts.sounds.table.clips[i] for i in parts.split.test]
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
        attempt=attempt,
        metrics={**test.test(), **_chosen(progress), **_of_stage(pretrained)},
        cost=_cost(parts, progress, pretrained.spent if pretrained else Spent()),
        provenance=provenance(parts.device, task.data_fingerprint, started),
        num_train=len(parts.split.train),
        num_val=len(parts.split.val),
        num_test=len(parts.split.test),
        early_stopped=progress.epoch < parts.config.train.epochs,
        notes=tuple(transfer.sentence() for transfer in parts.transfers),
    )
    task.trial.finish(record)
    return record


def _chosen(progress: Progress) -> dict[str, float]:
    best = progress.best_row
    validation = {key: value for key, value in best.items() if key.startswith("val/")}
    return {**validation, "best/epoch": best["epoch"]}


def _of_stage(pretrained: Pretrained | None) -> dict[str, float]:
    metrics = pretrained.metrics if pretrained else {}
    return {f"pretrain/{name}": value for name, value in metrics.items()}


def _cost(parts: Parts, progress: Progress, stage: Spent) -> Cost:
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


def _ending(task: Task, record: Record, evidence: Callable[[], Evidence]) -> Ending:
    model = task.trial.checkpoint if task.has_model else None
    return Ending(_summary(record, task), 0, evidence, model)


def _evidence(parts: Parts, test: Scores) -> Evidence:
    return evidence_of(parts.sounds, parts.split.test, test.logits.numpy(), test.targets.numpy())


def _best(row: Mapping[str, float]) -> dict[str, float]:
    """The chosen epoch's, under names of their own: W&B keeps the last epoch's under the others."""
    return {f"best/{name}": row[name] for name in row if name == "epoch" or name.startswith("val/")}


def _summary(record: Record, task: Task) -> dict[str, Any]:
    """Names joined by slashes: to W&B's panels a dot is a step into a nested mapping."""
    cell = {"arm": task.cell.arm, "seed": record.seed, "fold": record.fold, "trial": record.id}
    clips = {"train": record.num_train, "val": record.num_val, "test": record.num_test}
    named = flatten({"cost": record.to_mapping()["cost"], "cell": cell, "clips": clips})
    metrics = {**record.metrics, **_best(record.metrics)}
    return {**metrics, **{name.replace(".", "/"): named[name] for name in named}}
