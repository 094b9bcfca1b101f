"""`fit`: train for the configured epochs and keep the best by validation.

It asks `on_epoch` after each epoch whether to go on, and has never heard of disks or trackers.
Every random stream is seeded anew for each epoch, so a trial resumed from a snapshot draws what
the uninterrupted one would have drawn, and ends in the same weights to the bit.

Legend: B batch, C channels (mel bands), L frames.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from audiocls.audio.batches import Batch, masked, training_batches
from audiocls.errors import AudioclsError
from audiocls.train.parts import Parts
from audiocls.train.progress import Progress
from audiocls.train.score import score

Row = dict[str, float]
"""An epoch's metrics: `epoch` from 1, `train/loss`, `val/accuracy`, `val/loss`, `lr`, `seconds`."""


class Signal(Enum):
    """What `on_epoch` answers."""

    GO = "go"
    STOP = "stop"


class Diverged(AudioclsError):
    """The training loss is no longer a number."""


@dataclass(frozen=True)
class EpochEnd:
    """What `on_epoch` is told: the row, and a way to save everything needed to go on from here."""

    row: Row
    num_epochs: int
    snapshot: Callable[[], bytes]


def fit(
    parts: Parts, on_epoch: Callable[[EpochEnd], Signal], resume: bytes | None = None
) -> Progress:
    """Train, and leave the chosen epoch's weights in `parts.classifier`.

    Stopped by `on_epoch`, it returns with the last epoch's weights and `is_complete` false.
    Raises `Diverged` when a loss is not finite.
    """
    progress = Progress.restored(parts, resume) if resume else Progress()
    num_epochs = parts.config.train.epochs
    while progress.epoch < num_epochs:
        row = _epoch(parts, progress)
        signal = on_epoch(EpochEnd(row, num_epochs, lambda: progress.snapshot(parts)))
        if signal is Signal.STOP and progress.epoch < num_epochs:
            return progress
    parts.classifier.load_state_dict(progress.best_weights)
    progress.is_complete = True
    return progress


def _epoch(parts: Parts, progress: Progress) -> Row:
    started, process_started = time.monotonic(), time.process_time()
    lr = float(parts.schedule.get_last_lr()[0])
    train_loss = _train(parts, progress)
    if not math.isfinite(train_loss):
        raise Diverged(
            f"the training loss became {train_loss} in epoch {progress.epoch + 1}; lower optim.lr "
            f"(now {parts.config.optim.lr}), or set train.clip_norm"
        )
    progress.epoch += 1
    row: Row = {"epoch": float(progress.epoch), "train/loss": train_loss, "lr": lr}
    row |= score(parts, parts.split.val).metrics("val")
    progress.keep_if_best(parts, row)
    row["seconds"] = time.monotonic() - started
    progress.wall_s += row["seconds"]
    progress.process_s += time.process_time() - process_started
    return row


def _train(parts: Parts, progress: Progress) -> float:
    """One pass over the training clips; the mean loss, brought to the host once."""
    config, epoch = parts.config, progress.epoch
    torch.manual_seed(parts.seed("dropout", epoch))
    masks = torch.Generator().manual_seed(parts.seed("mask", epoch))
    batches = training_batches(
        parts.sounds,
        parts.split.train,
        config.train.batch_size,
        config.augment,
        parts.seed("order", epoch),
    )
    parts.classifier.train()
    total = torch.zeros((), device=parts.device, dtype=torch.float64)
    for features, labels in batches:
        total += _step(parts, (features, labels), masks) * len(labels)
        progress.steps += 1
        progress.gradient_passes += parts.stepper.num_passes
    progress.samples += len(parts.split.train)
    return float(total) / len(parts.split.train)


def _step(parts: Parts, batch: Batch, masks: torch.Generator) -> Tensor:
    config, classifier = parts.config, parts.classifier
    features = classifier.standardise(batch[0].to(parts.device, non_blocking=True))
    features = masked(features, config.augment, masks)
    labels = batch[1].to(parts.device, non_blocking=True)
    is_bf16 = config.train.precision == "bf16"

    def gradient() -> Tensor:
        parts.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(parts.device.type, torch.bfloat16, enabled=is_bf16):
            logits = classifier.model(features)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=config.train.label_smoothing)
        torch.autograd.backward(loss)
        return loss

    def clip() -> None:
        if config.train.clip_norm > 0:
            torch.nn.utils.clip_grad_norm_(classifier.parameters(), config.train.clip_norm)

    loss = parts.stepper.step(gradient, clip)
    parts.schedule.step()
    return loss
