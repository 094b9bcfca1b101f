"""`fit`: train for the configured epochs and keep the best by validation.

It calls `on_epoch` after each epoch, which returns a `Signal`, and uses neither disk nor
tracker. Every random stream is seeded anew for each epoch, so a trial resumed from a snapshot
draws what the uninterrupted one would have drawn, and ends in the same weights to the bit.

Legend: B batch, C channels (mel bands), L frames.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
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
from audiocls.training.step import EagerStep, Step, StepForm

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
    state: TrainingState,
    on_epoch: Callable[[EpochEnd], Signal],
    resume: bytes | None = None,
    form: StepForm = EagerStep,
) -> Progress:
    """Train, and load the best epoch's weights into `state.classifier`.

    Args:
        state: from `build`; updated in place.
        on_epoch: called after each epoch. On `Signal.STOP`, `fit` returns with the last epoch's
            weights and `is_complete` false.
        resume: a snapshot of the same configuration.
        form: how steps are computed.

    Raises:
        Diverged: the mean loss of an epoch is not finite.
        ConfigError: an operation has no deterministic algorithm on this device, and needs one.
    """
    with determinism(state.config.train.deterministic, state.device):
        running, step = RunningTrial(state, on_epoch, resume), form([state])
        while not running.is_over:
            running.begin_epoch(step.execution)
            [row] = train_epoch(step, [running])
            running.end_epoch(row)
        return running.progress


class RunningTrial:
    """A trial between its first epoch and its last: what precedes and follows an epoch's steps."""

    def __init__(
        self,
        state: TrainingState,
        on_epoch: Callable[[EpochEnd], Signal],
        resume: bytes | None = None,
    ):
        self.state = state
        self.progress = Progress.restored(state, resume) if resume else Progress()
        self._on_epoch = on_epoch
        self._is_left = False
        self._complete_if_over()

    @property
    def is_over(self) -> bool:
        """Whether no epoch is to follow: training is complete, or was stopped."""
        return self._is_left or self.progress.is_complete

    def begin_epoch(self, execution: str, num_trials: int = 1) -> None:
        """Record the time, the rate of the epoch's first step, and how it is computed."""
        self.progress.note_execution(execution, num_trials)
        self._started, self._process_started = time.monotonic(), time.process_time()
        self._lr = self.state.schedule.lr

    def end_epoch(self, trained: Row, share: float = 1.0) -> None:
        """Validate, and ask `on_epoch` whether to continue.

        Args:
            trained: the metrics of the epoch's steps.
            share: the fraction of the time since `begin_epoch` that counts, where trials share it.

        Raises:
            Diverged: the mean loss of the epoch is not finite.
        """
        state, progress = self.state, self.progress
        _require_finite(trained["train/loss"], progress.epoch + 1, state.config.optim.lr)
        progress.epoch += 1
        row: Row = {"epoch": float(progress.epoch), "train/loss": trained["train/loss"]}
        row |= {"lr": self._lr} | trained | _validate(state, progress.epoch)
        state.schedule.end_epoch(selection_key(row, state.config.train.select)[0])
        progress.keep_if_best(state, row)
        row["seconds"] = share * (time.monotonic() - self._started)
        progress.wall_s += row["seconds"]
        progress.process_s += share * (time.process_time() - self._process_started)
        num_epochs = state.config.train.epochs
        signal = self._on_epoch(EpochEnd(row, num_epochs, lambda: progress.snapshot(state)))
        self._is_left = signal is Signal.STOP and progress.epoch < num_epochs
        self._complete_if_over(is_ended=signal is Signal.FINISH)

    def _complete_if_over(self, is_ended: bool = False) -> None:
        """Load the best epoch's weights where no epoch is left."""
        train, progress = self.state.config.train, self.progress
        is_last = progress.epoch >= train.epochs or progress.is_out_of_patience(train.patience)
        if not self._is_left and (is_ended or is_last):
            self.state.classifier.load_state_dict(progress.best_weights)
            progress.is_complete = True


def _require_finite(loss: float, epoch: int, lr: float) -> None:
    if not math.isfinite(loss):
        raise Diverged(
            f"the training loss became {loss} in epoch {epoch}; lower optim.lr "
            f"(now {lr}), or set train.clip_norm"
        )


def _validate(state: TrainingState, epoch: int) -> Row:
    """Return the validation metrics of the classifier that would be saved now, if any are due."""
    state.averaging.after_epoch(epoch)
    evaluated = state.evaluated()
    if state.averaging.needs_batch_norm_statistics:
        batches = scoring_batches(state.dataset, state.split.train, state.config.train.batch_size)
        refresh_batch_norm(evaluated, (inputs for inputs, _ in batches), state.classifier)
    if len(state.split.val) == 0:
        return {}
    return state.ranks.broadcast_from_first(
        lambda: state.objective.validate(evaluated, state.dataset, state.split.val)
    )


def train_epoch(step: Step, trials: Sequence[RunningTrial]) -> list[Row]:
    """Train on every training clip once; return each trial's mean loss and gradient norm.

    Without the norm if every step that was measured overflowed.
    """
    states, epochs = zip(*((trial.state, trial.progress.epoch) for trial in trials), strict=True)
    # Losses stay on the device until the end: reading one a step would wait for each step.
    losses: list[list[Tensor]] = [[] for _ in trials]
    norms: list[list[Tensor]] = [[] for _ in trials]
    counts: list[int] = []
    with step.epoch(epochs):
        streams = (groups_of_epoch(*pair) for pair in zip(states, epochs, strict=True))
        for number, groups in enumerate(zip(*streams, strict=True)):
            is_measured = number % MEASURED_EVERY == 0
            counts.append(sum(batch.num_clips for batch in groups[0]))
            for k, (loss, norm) in enumerate(step(groups, is_measured)):
                losses[k].append(loss)
                norms[k] += [norm] if is_measured and norm is not None else []
    return [
        epoch_metrics(
            trial.progress, torch.stack(epoch_losses), counts, measured, state.stepper.num_passes
        )
        for trial, state, epoch_losses, measured in zip(trials, states, losses, norms, strict=True)
    ]


def epoch_metrics(
    progress: Progress, losses: Tensor, counts: list[int], norms: list[Tensor], num_passes: int
) -> Row:
    """Count an epoch's steps; return its mean loss per clip and mean gradient norm.

    Shape: losses (steps,); norms ()
    """
    losses = losses.cpu()
    num_kept = max(0, NUM_FIRST - progress.steps)
    progress.first_losses += losses[:num_kept].double().tolist()
    progress.steps += len(counts)
    progress.gradient_passes += num_passes * len(counts)
    progress.samples += sum(counts)
    sums = losses * torch.tensor(counts, dtype=losses.dtype)
    # One after the other in float64, whatever the order that a sum would choose.
    total = float(sums.double().cumsum(0)[-1])
    row = {"train/loss": total / sum(counts)}
    return row | ({"train/grad_norm": float(torch.stack(norms).mean())} if norms else {})


def groups_of_epoch(state: TrainingState, epoch: int) -> Iterator[list[Batch]]:
    """Yield the batches of each step of epoch `epoch`, counted from 0; the last may have fewer."""
    seed, clips = state.seed("order", epoch), state.split.train
    batches = training_batches(state.dataset, clips, state.batching, epoch, seed, state.stored)
    while group := list(itertools.islice(batches, state.config.train.accumulate)):
        yield group
