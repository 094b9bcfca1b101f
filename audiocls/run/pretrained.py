"""The pre-training stage of a study: trained once, found by its own id, shared by its trials."""

import json
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load, save

from audiocls.audio.batches import Sounds
from audiocls.audio.clips import ClipTable, Split, fingerprint
from audiocls.audio.copies import without_copies
from audiocls.audio.unlabelled import unlabelled_split, unlabelled_table
from audiocls.config import Config, identifying, trial_id
from audiocls.run.content import identity_of
from audiocls.run.task import Task
from audiocls.run.warm import Warm
from audiocls.store import TrialFolder
from audiocls.store.atomic import write_text
from audiocls.train.fit import EpochEnd, Signal, fit
from audiocls.train.parts import build
from audiocls.train.pretrain import Pretrained, pretrained_by, stage_of
from audiocls.train.progress import Progress
from audiocls.train.transfer import Weights

ShouldStop = Callable[[], bool]
WAIT_S = 1.0


def pretrained_for(
    task: Task, config: Config, warm: Warm, should_stop: ShouldStop
) -> Pretrained | None:
    """The stage that `config` fine-tunes, trained now if no other trial has; none if interrupted.

    It lies in `runs/<study>/pretrained/<id>/`. Of several workers that want it one trains it, and
    the others wait.
    """
    stage = stage_of(config)
    table, known = _clips(stage, warm.cache)
    identity = trial_id(identity_of(stage, warm.cache), known)
    folder = TrialFolder(task.study_folder / "pretrained" / identity)
    while not should_stop():
        with folder.lease(WAIT_S) as is_mine:
            if (done := _finished(folder)) is not None:
                return done
            if is_mine:
                learns_codes = stage.ssl.mode == "pretrain"
                sounds = warm.sounds(stage, known, table, learns_codes)
                split = _split(stage, table, config.data.table(warm.cache), config.fold)
                return _train(folder, stage, sounds, split, should_stop)
    return None


def _clips(stage: Config, cache: Path) -> tuple[ClipTable, str]:
    """What the stage may hear, and its fingerprint."""
    folder = stage.ssl.clips
    table = unlabelled_table(Path(folder)) if folder else stage.data.table(cache)
    return table, fingerprint(table, cache)


def _split(stage: Config, table: ClipTable, own: ClipTable, fold: int) -> Split:
    """The stage's clips, without copies of those that the trial validates and is tested on."""
    split = unlabelled_split(table) if stage.ssl.clips else table.split(stage.fold)
    if table == own:
        return split
    scored = own.split(fold)
    return without_copies(table, split, [own.clips[i].path for i in (*scored.val, *scored.test)])


def _train(
    folder: TrialFolder, stage: Config, sounds: Sounds, split: Split, should_stop: ShouldStop
) -> Pretrained | None:
    resume = folder.resume()
    folder.write_config(identifying(stage))
    folder.keep_history(Progress.num_epochs_of(resume) if resume else 0)

    def on_epoch(end: EpochEnd) -> Signal:
        folder.append_history(end.row)
        folder.write_resume(end.snapshot())
        return Signal.STOP if should_stop() else Signal.GO

    parts = build(stage, sounds, split=split, learns_codes=stage.ssl.mode == "pretrain")
    progress = fit(parts, on_epoch, resume)
    if not progress.is_complete:
        return None
    found = pretrained_by(parts, progress)
    folder.write_checkpoint(save(dict(found.weights.tensors)), {"labels": found.weights.labels})
    write_text(folder.path / "stage.json", json.dumps(dict(found.metrics), indent=1))
    folder.drop_resume()
    return found


def _finished(folder: TrialFolder) -> Pretrained | None:
    """`stage.json` is written last."""
    try:
        metrics = json.loads((folder.path / "stage.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    description = json.loads(folder.checkpoint.with_suffix(".json").read_text(encoding="utf-8"))
    tensors = load(folder.checkpoint.read_bytes())
    return Pretrained(Weights("pre-training", tensors, tuple(description["labels"])), metrics)
