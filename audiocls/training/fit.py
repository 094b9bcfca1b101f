"""`fit`: train for the configured epochs and keep the best by validation.

It calls `on_epoch` after each epoch, which returns a `Signal`, and uses neither disk nor
tracker. Every random stream is seeded anew for each epoch, so a trial resumed from a snapshot
draws what the uninterrupted one would have drawn, and ends in the same weights to the bit.

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

from audiocls.audio.batches import Batch, scoring_batches, training_batches
from audiocls.errors import AudioclsError
from audiocls.optim.batch_norm import refresh_batch_norm
from audiocls.training.determinism import determinism
from audiocls.training.progress import Progress, selection_key
from audiocls.training.state import TrainingState
from audiocls.training.step import train_step

Row = dict[str, float]
"""An epoch's metrics: `epoch` from 1, `train/loss`, `val/accuracy`, `val/loss`, `lr`, `seconds`.

`lr` is the rate of the epoch's first step. `train/grad_norm` is the L2 norm of the gradient that an
update is made from, before clipping (under SAM the second gradient, at the worst point): the mean
over the epoch's steps 1, 9, 17, …
"""

MEASURED_EVERY = 8
"""Steps per measured gradient norm: on small networks it takes 1 to 3 % of the time of a step."""
NUM_FIRST = 4
"""Steps whose losses are kept: any change of data, model, loss or update shows within two."""


class Signal(Enum):
    """The answer of `on_epoch`."""

    CONTINUE = "go"
    STOP = "stop"
    """Return now; the trial is to be resumed later."""
    FINISH = "finish"
    """Choose the best of the epochs so far, and end."""


class Diverged(AudioclsError):
    """The training loss is infinite or NaN."""


@dataclass(frozen=True)
class EpochEnd:
    """The argument of `on_epoch`."""

    row: Row
    num_epochs: int
    """Epochs configured."""
    snapshot: Callable[[], bytes]
    """Returns the content of a snapshot to resume from after this epoch."""


def fit(
    state: TrainingState, on_epoch: Callable[[EpochEnd], Signal], resume: bytes | None = None
) -> Progress:
    """Train, and load the best epoch's weights into `state.classifier`.

    Args:
        state: from `build`; updated in place.
        on_epoch: called after each epoch. On `Signal.STOP`, `fit` returns with the last epoch's
            weights and `is_complete` false.
        resume: a snapshot of the same configuration.

    Raises:
        Diverged: the mean loss of an epoch is not finite.
        ConfigError: an operation has no deterministic algorithm on this device, and needs one.
    """
    with determinism(state.config.train.deterministic, state.device):
        return _fit(state, on_epoch, resume)


def _fit(
    state: TrainingState, on_epoch: Callable[[EpochEnd], Signal], resume: bytes | None
) -> Progress:
    progress = Progress.restored(state, resume) if resume else Progress()
    num_epochs = state.config.train.epochs
    while progress.epoch < num_epochs and not progress.is_out_of_patience(
        state.config.train.patience
    ):
        row = _epoch(state, progress)
        signal = on_epoch(EpochEnd(row, num_epochs, lambda: progress.snapshot(state)))
        if signal is Signal.STOP and progress.epoch < num_epochs:
            return progress
        if signal is Signal.FINISH:
            break
    state.classifier.load_state_dict(progress.best_weights)
    progress.is_complete = True
    return progress


def _epoch(state: TrainingState, progress: Progress) -> Row:
    """Train and validate one epoch; return its metrics."""
    started, process_started = time.monotonic(), time.process_time()
    lr = state.schedule.lr
    trained = _train(state, progress)
    train_loss = trained["train/loss"]
    if not math.isfinite(train_loss):
        raise Diverged(
            f"the training loss became {train_loss} in epoch {progress.epoch + 1}; lower optim.lr "
            f"(now {state.config.optim.lr}), or set train.clip_norm"
        )
    progress.epoch += 1
    row: Row = {"epoch": float(progress.epoch), "train/loss": train_loss, "lr": lr}
    row |= trained | _validate(state, progress.epoch)
    state.schedule.end_epoch(selection_key(row, state.config.train.select)[0])
    progress.keep_if_best(state, row)
    row["seconds"] = time.monotonic() - started
    progress.wall_s += row["seconds"]
    progress.process_s += time.process_time() - process_started
    return row


def _validate(state: TrainingState, epoch: int) -> Row:
    """Return the validation metrics of the classifier that would be saved now, if any are due."""
    state.averaging.after_epoch(epoch)
    evaluated = state.evaluated()
    if state.averaging.needs_batch_norm_statistics:
        batches = scoring_batches(state.dataset, state.split.train, state.config.train.batch_size)
        refresh_batch_norm(evaluated, (inputs for inputs, _ in batches))
    if len(state.split.val) == 0:
        return {}
    return state.objective.validate(evaluated, state.dataset, state.split.val)


def _train(state: TrainingState, progress: Progress) -> Row:
    """Train on every training clip once; return mean loss per clip and mean gradient norm.

    Without the norm if every step that was measured overflowed.
    """
    torch.manual_seed(state.seed("dropout", progress.epoch))
    seed = state.seed("order", progress.epoch)
    clips = state.split.train
    batches = training_batches(state.dataset, clips, state.batching, progress.epoch, seed)
    state.classifier.begin_epoch(progress.epoch)
    state.classifier.train()
    # Sums stay on the device until the end: reading one number a step would wait for each step.
    total = torch.zeros((), device=state.device, dtype=torch.float64)
    norms: list[Tensor] = []
    first: list[Tensor] = []
    num_trained = 0
    for number, group in enumerate(_groups(batches, state.config.train.accumulate)):
        num_clips = sum(len(batch.targets) for batch in group)
        loss, norm = train_step(state, group, is_measured=number % MEASURED_EVERY == 0)
        norms += [] if norm is None else [norm]
        total += loss * num_clips
        num_trained += num_clips
        if progress.steps < NUM_FIRST:
            first.append(loss)
        progress.steps += 1
        progress.gradient_passes += state.stepper.num_passes
    progress.samples += num_trained
    progress.first_losses += torch.stack(first).double().tolist() if first else []
    row = {"train/loss": float(total) / num_trained}
    return row | ({"train/grad_norm": float(torch.stack(norms).mean())} if norms else {})


def _groups(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield `size` batches at a time, the last time perhaps fewer."""
    while group := list(itertools.islice(batches, size)):
        yield group
