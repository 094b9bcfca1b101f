"""The pre-training stage of a study: trained once, found by its own id, shared by its trials."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import load, save

from audiocls.atomic import write_text
from audiocls.audio.clips import ClipTable, Split, fingerprint
from audiocls.audio.deduplicate import sound_digests, without_copies
from audiocls.audio.unlabelled import unlabelled_split, unlabelled_table
from audiocls.config import Config, identity_config, trial_id
from audiocls.execution.code import code_digest
from audiocls.execution.content import identity_of
from audiocls.execution.events import Event, Stage
from audiocls.execution.job import NativeJob
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import TrialFolder
from audiocls.store.same_numbers import canonical_code
from audiocls.training.checkpoint import description_of
from audiocls.training.cost import Spent
from audiocls.training.fit import Diverged, EpochEnd, Signal, fit
from audiocls.training.init_from import Weights
from audiocls.training.pretrain import Pretrained, pretrained_by, stage_of
from audiocls.training.progress import Progress
from audiocls.training.state import build

Emit = Callable[[Event], None]
PollSignal = Callable[[], Signal]
WAIT_S = 1.0


@dataclass(frozen=True)
class Wanted:
    """A stage that a trial asks for: what it is, what it hears, where it lies."""

    config: Config
    table: ClipTable
    fingerprint: str
    split: Split
    folder: TrialFolder

    @property
    def learns_codes(self) -> bool:
        return self.config.ssl.mode == "pretrain"


def pretrained_for(
    job: NativeJob, config: Config, worker_cache: WorkerCache, emit: Emit, poll_signal: PollSignal
) -> Pretrained | None:
    """The stage that `config` fine-tunes, trained now if no other trial has; none if interrupted.

    It lies in `runs/<study>/pretrained/<id>/`. Of several workers that want it one trains it, and
    the others wait.
    """
    wanted = _wanted(job, config, worker_cache.cache)
    while poll_signal() is not Signal.STOP:
        with wanted.folder.lease(WAIT_S) as is_mine:
            if (done := _finished(wanted.folder)) is not None:
                return done
            if is_mine:
                return _train(job, wanted, worker_cache, emit, poll_signal)
        emit(_how_far(job, wanted, len(wanted.folder.history())))
    return None


def _wanted(job: NativeJob, config: Config, cache: Path) -> Wanted:
    """The id stands for all that the weights depend on: options, sounds heard, code."""
    stage = stage_of(config)
    clips = stage.ssl.clips
    table = unlabelled_table(Path(clips)) if clips else stage.data.table(cache)
    known = fingerprint(table, cache)
    split = _split(config, stage, table, known, cache)
    heard = hashlib.sha256(split.train.tobytes() + b"|" + split.val.tobytes()).hexdigest()
    code = canonical_code(code_digest())
    identity = trial_id(identity_of(stage, cache), f"{known} {heard} {code}")
    folder = TrialFolder(job.study_folder / "pretrained" / identity)
    return Wanted(stage, table, known, split, folder)


def _split(config: Config, stage: Config, table: ClipTable, known: str, cache: Path) -> Split:
    """The stage's clips, without copies of those that the trial validates and is tested on."""
    split = unlabelled_split(table) if stage.ssl.clips else table.split(stage.fold)
    if not stage.ssl.clips and config.pretraining.data is None:
        return split
    own, rate = config.data.table(cache), config.data.sample_rate
    scored = own.split(config.fold)
    excluded = sound_digests(own, fingerprint(own, cache), rate, cache)
    return without_copies(
        split,
        sound_digests(table, known, rate, cache),
        excluded[np.concatenate([scored.val, scored.test])],
    )


def _train(
    job: NativeJob, wanted: Wanted, worker_cache: WorkerCache, emit: Emit, poll_signal: PollSignal
) -> Pretrained | None:
    folder, resume = wanted.folder, wanted.folder.resume()
    folder.write_config(identity_config(wanted.config))
    folder.keep_history(Progress.num_epochs_of(resume) if resume else 0)

    def on_epoch(end: EpochEnd) -> Signal:
        folder.append_history(end.row)
        folder.write_resume(end.snapshot())
        emit(_how_far(job, wanted, int(end.row["epoch"])))
        return Signal.STOP if poll_signal() is Signal.STOP else Signal.CONTINUE

    emit(_how_far(job, wanted, 0))
    sounds = worker_cache.sounds(
        wanted.config, wanted.fingerprint, wanted.table, wanted.learns_codes
    )
    parts = build(wanted.config, sounds, split=wanted.split, learns_codes=wanted.learns_codes)
    try:
        progress = fit(parts, on_epoch, resume)
    except Diverged as error:
        rate = "ssl.lr" if wanted.learns_codes else "pretraining.lr"
        raise Diverged(f"pre-training, whose rate is {rate}: {error}") from error
    if not progress.is_complete:
        return None
    return _kept(folder, wanted.config, pretrained_by(parts, progress))


def _how_far(job: NativeJob, wanted: Wanted, epoch: int) -> Stage:
    return Stage(job.id, epoch, wanted.config.train.epochs)


def _kept(folder: TrialFolder, stage: Config, found: Pretrained) -> Pretrained:
    """`stage.json` is written last: its presence means *finished*."""
    weights = found.weights
    description = description_of(stage, weights.labels) | {"source": weights.source}
    folder.write_checkpoint(save(dict(weights.tensors)), description)
    leaves = {"metrics": dict(found.metrics), "spent": asdict(found.spent)}
    write_text(folder.path / "stage.json", json.dumps(leaves, indent=1))
    folder.drop_resume()
    return found


def _finished(folder: TrialFolder) -> Pretrained | None:
    try:
        leaves = json.loads((folder.path / "stage.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    description = json.loads(folder.checkpoint.with_suffix(".json").read_text(encoding="utf-8"))
    tensors = load(folder.checkpoint.read_bytes())
    weights = Weights(description["source"], tensors, tuple(description["labels"]))
    return Pretrained(weights, leaves["metrics"], Spent(**leaves["spent"]))
