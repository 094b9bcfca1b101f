"""`fit`: train for the configured epochs and keep the best by validation.

It asks `on_epoch` after each epoch whether to go on, and has never heard of disks or trackers.
Every random stream is seeded anew for each epoch, so a trial resumed from a snapshot draws what
the uninterrupted one would have drawn, and ends in the same weights to the bit.

Legend: B batch, C channels (mel bands), L frames.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from audiocls.audio.augment.specaugment import mask
from audiocls.audio.batches import Batch, scoring_batches, training_batches
from audiocls.errors import AudioclsError
from audiocls.optim.batch_norm import refresh_batch_norm
from audiocls.training.progress import Progress, selection_key
from audiocls.training.state import TrainingState

Row = dict[str, float]
"""An epoch's metrics: `epoch` from 1, `train/loss`, `val/accuracy`, `val/loss`, `lr`, `seconds`.

`train/grad_norm` is the norm of the gradient that an update is made from, before clipping (under
SAM the second gradient, at the worst point): the mean over the epoch's steps 1, 9, 17, …
"""

MEASURED_EVERY = 8
"""Steps to one gradient norm: on small networks it takes 1 to 3 % of the time of a step."""
NUM_FIRST = 4
"""Steps whose losses are kept: whatever acts on data, model, loss or update shows within two."""


class Signal(Enum):
    """What `on_epoch` answers."""

    CONTINUE = "go"
    STOP = "stop"
    """Return now, to go on another time."""
    FINISH = "finish"
    """Enough: choose among the epochs so far, and end."""


class Diverged(AudioclsError):
    """The training loss is no longer a number."""


@dataclass(frozen=True)
class EpochEnd:
    """What `on_epoch` is told: the row, and a way to save everything needed to go on from here."""

    row: Row
    num_epochs: int
    snapshot: Callable[[], bytes]


def fit(
    parts: TrainingState, on_epoch: Callable[[EpochEnd], Signal], resume: bytes | None = None
) -> Progress:
    """Train, and leave the chosen epoch's weights in `parts.classifier`.

    Stopped by `on_epoch`, it returns with the last epoch's weights and `is_complete` false.
    Raises `Diverged` when a loss is not finite.
    """
    progress = Progress.restored(parts, resume) if resume else Progress()
    num_epochs = parts.config.train.epochs
    while progress.epoch < num_epochs and not progress.is_out_of(parts.config.train.patience):
        row = _epoch(parts, progress)
        signal = on_epoch(EpochEnd(row, num_epochs, lambda: progress.snapshot(parts)))
        if signal is Signal.STOP and progress.epoch < num_epochs:
            return progress
        if signal is Signal.FINISH:
            break
    parts.classifier.load_state_dict(progress.best_weights)
    progress.is_complete = True
    return progress


def _epoch(parts: TrainingState, progress: Progress) -> Row:
    started, process_started = time.monotonic(), time.process_time()
    lr = parts.schedule.lr
    train_loss, grad_norm = _train(parts, progress)
    if not math.isfinite(train_loss):
        raise Diverged(
            f"the training loss became {train_loss} in epoch {progress.epoch + 1}; lower optim.lr "
            f"(now {parts.config.optim.lr}), or set train.clip_norm"
        )
    progress.epoch += 1
    row: Row = {"epoch": float(progress.epoch), "train/loss": train_loss, "lr": lr}
    row["train/grad_norm"] = grad_norm
    row |= _validate(parts, progress.epoch)
    parts.schedule.end_epoch(selection_key(row, parts.config.train.select)[0])
    progress.keep_if_best(parts, row)
    row["seconds"] = time.monotonic() - started
    progress.wall_s += row["seconds"]
    progress.process_s += time.process_time() - process_started
    return row


def _validate(parts: TrainingState, epoch: int) -> Row:
    """Metrics of what would be saved now: the averaged weights, where there are any."""
    parts.averaging.after_epoch(epoch)
    evaluated = parts.evaluated()
    if parts.averaging.needs_batch_norm_statistics:
        batches = scoring_batches(parts.sounds, parts.split.train, parts.config.train.batch_size)
        refresh_batch_norm(evaluated, (inputs for inputs, _ in batches))
    return parts.objective.validate(evaluated, parts.sounds, parts.split.val)


def _train(parts: TrainingState, progress: Progress) -> tuple[float, float]:
    """One pass over the training clips; mean loss and gradient norm, brought to the host once."""
    torch.manual_seed(parts.seed("dropout", progress.epoch))
    seed = parts.seed("order", progress.epoch)
    clips = parts.split.train
    batches = training_batches(parts.sounds, clips, parts.batching, progress.epoch, seed)
    parts.classifier.train()
    total = torch.zeros((), device=parts.device, dtype=torch.float64)
    norms: list[Tensor] = []
    first: list[Tensor] = []
    for number, group in enumerate(_groups(batches, parts.config.train.accumulate)):
        num_clips = sum(len(batch.targets) for batch in group)
        wanted = norms if number % MEASURED_EVERY == 0 else None
        loss = _step(parts, group, num_clips, wanted)
        total += loss * num_clips
        if progress.steps < NUM_FIRST:
            first.append(loss)
        progress.steps += 1
        progress.gradient_passes += parts.stepper.num_passes
    progress.samples += len(clips)
    progress.first_losses += torch.stack(first).double().tolist() if first else []
    return float(total) / len(clips), float(torch.stack(norms).mean())


def _groups(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    while group := list(itertools.islice(batches, size)):
        yield group


def _step(
    parts: TrainingState, group: list[Batch], num_clips: int, norms: list[Tensor] | None
) -> Tensor:
    """One update from the mean gradient over the clips of all batches of `group`.

    The gradient's norm before clipping is added to `norms`, where it is wanted.
    """

    def gradient() -> Tensor:
        parts.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=parts.device)
        for batch in group:
            loss = _loss(parts, batch) * (len(batch.targets) / num_clips)
            torch.autograd.backward(loss)
            total += loss.detach()
        return total

    def clip() -> None:
        most = parts.config.train.clip_norm
        if most == 0 and norms is None:
            return
        parameters = list(parts.classifier.parameters())
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if norms is not None:
            norms.append(norm)
        if most > 0:
            torch.nn.utils.clip_grads_with_norm_(parameters, most, norm)

    loss = parts.stepper.step(gradient, clip)
    parts.schedule.step()
    parts.averaging.after_step()
    return loss


def _loss(parts: TrainingState, batch: Batch) -> Tensor:
    """Both passes of SAM see the same masks: they are drawn per clip and epoch, not per call."""
    heard = parts.classifier.features(batch.inputs)
    heard = mask(heard, parts.config.augment, batch.draws)
    is_bf16 = parts.config.train.precision == "bf16"
    with torch.autocast(parts.device.type, torch.bfloat16, enabled=is_bf16):
        return parts.objective.loss(parts.classifier, heard, batch)
