"""The pre-training stage of a study: trained once, stored under its own id, shared by its trials.

It lies in `runs/<study>/pretrained/<id>/`.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial

from safetensors.torch import load, save

from audiocls.atomic import remove_abandoned, write_text
from audiocls.audio.dataset import AudioDataset
from audiocls.config import Config, identity_config
from audiocls.digests import verified_weights
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Event, Extraction, Notice, Stage
from audiocls.execution.pretraining_stage import RESULT, WAIT_S, PretrainingStage, stage_for
from audiocls.execution.snapshots import Snapshots
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Damaged, TrialFolder
from audiocls.store.content import description_in
from audiocls.store.lease import LeaseLost, held
from audiocls.store.stored_file import read, sealed, unsealed
from audiocls.training.checkpoint import description_of
from audiocls.training.fit import Diverged, EpochEnd, Signal, fit
from audiocls.training.init_from import Weights
from audiocls.training.pretrain import Pretrained, pretrained_by
from audiocls.training.progress import Progress, Spent
from audiocls.training.state import build


def pretrained_for(
    job: NativeJob,
    config: Config,
    worker_cache: WorkerCache,
    emit: Callable[[Event], None],
    poll_signal: Callable[[], Signal],
) -> Pretrained | None:
    """Return the stage that `config` fine-tunes; train it if no trial has yet.

    Of several workers that need it, on any host, one trains it, and the others wait. Return `None`
    if `poll_signal` says STOP first.
    """
    stage = stage_for(job, config, worker_cache.cache)

    def report(epoch: int, damage: str = "") -> None:
        if damage:
            emit(Notice(job.id, f"pre-training: {damage}"))
        emit(Stage(job.id, epoch, stage.config.train.epochs))

    lease = stage.folder.claim()
    while poll_signal() is not Signal.STOP:
        with held(lease) as is_mine, suppress(LeaseLost):
            finished, damage = _read(stage.folder)
            if is_mine:
                _remove_leftovers(stage.folder, finished is not None)
            if finished is not None:
                return finished
            if is_mine:
                report(0, damage)
                mine = replace(stage, folder=stage.folder.under(lease))
                on_progress = partial(_report_extraction, job.id, emit)
                dataset = worker_cache.dataset(
                    stage.config, stage.fingerprint, stage.table, stage.learns_codes, on_progress
                )
                return _train(mine, dataset, report, poll_signal)
        report(len(stage.folder.history()))
        time.sleep(WAIT_S)
    return None


def _report_extraction(
    trial_id: str, emit: Callable[[Event], None], num_done: int, num_clips: int
) -> None:
    emit(Extraction(trial_id, num_done, num_clips))


def _train(
    stage: PretrainingStage,
    dataset: AudioDataset,
    report: Callable[[int, str], None],
    poll_signal: Callable[[], Signal],
) -> Pretrained | None:
    """Train and store the stage, resuming where it was stopped; `None` if stopped again."""
    folder = stage.folder
    _, snapshot, damage = folder.resume_attempt(Progress.num_epochs_of)
    folder.write_config(identity_config(stage.config))
    snapshots = Snapshots(folder)

    def end_epoch(end: EpochEnd) -> Signal:
        folder.append_history(end.row)
        report(int(end.row["epoch"]), "")
        # FINISH is for the trial, which cannot do without its pre-training.
        signal = Signal.STOP if poll_signal() is Signal.STOP else Signal.CONTINUE
        snapshots.end_epoch(end, signal)
        return signal

    report(0, damage)
    state = build(
        stage.config,
        dataset,
        split=stage.split,
        learns_codes=stage.learns_codes,
        learns_views=stage.learns_views,
    )
    try:
        progress = fit(state, end_epoch, snapshot)
    except Diverged as error:
        rate = "ssl.lr" if stage.config.ssl.is_stage else "pretraining.lr"
        raise Diverged(f"pre-training, whose rate is {rate}: {error}") from error
    if not progress.is_complete:
        return None
    pretrained = pretrained_by(state, progress)
    _write(folder, stage.config, pretrained)
    return pretrained


def _write(folder: TrialFolder, stage: Config, pretrained: Pretrained) -> None:
    """Store the stage; `stage.json` comes last, since its presence means *finished*."""
    weights = pretrained.weights
    description = description_of(stage, weights.labels) | {"source": weights.source}
    folder.write_checkpoint(save(dict(weights.tensors)), description)
    result = {"metrics": dict(pretrained.metrics), "spent": asdict(pretrained.spent)}
    write_text(folder.path / RESULT, sealed(result), is_synced=True)
    folder.drop_resume()


def _remove_leftovers(folder: TrialFolder, is_finished: bool) -> None:
    """Remove what processes left that were killed while they trained or stored the stage."""
    remove_abandoned(folder.path)
    if is_finished:
        folder.drop_resume()


def _read(folder: TrialFolder) -> tuple[Pretrained | None, str]:
    """Return the stored stage if it is finished, or why it cannot be used: then it is made anew."""
    try:
        result = read(folder.path / RESULT, _result_in)
        description = read(folder.description, description_in) or {}
        tensors = read(
            folder.checkpoint, lambda content: load(verified_weights(content, description))
        )
    except Damaged as damage:
        return None, str(damage)
    if result is None or tensors is None or "source" not in description:
        return None, ""
    weights = Weights(description["source"], tensors, tuple(description["labels"]))
    return Pretrained(weights, *result), ""


def _result_in(content: bytes) -> tuple[dict[str, float], Spent]:
    result = unsealed(content)
    return result["metrics"], Spent(**result["spent"])
