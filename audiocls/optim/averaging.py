"""Averages of the weights along a training, to be scored and saved in place of the last weights.

Parameters and floating-point buffers are averaged alike; integer buffers are copied. Torch-free
until an average is built.
"""

import copy
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from audiocls.optim.schedules import LearningRate
from audiocls.options import Options, added

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


class WeightAverage(Protocol):
    """Follows the weights of one module in training and provides those to score and save."""

    @property
    def needs_batch_norm_statistics(self) -> bool:
        """Whether `evaluated()` must go through `refresh_batch_norm` before it is scored."""

    @property
    def is_waiting(self) -> bool:
        """Whether averaging has still to begin, so that `evaluated()` is not yet an average."""

    def after_step(self) -> None:
        """Update the average after an optimiser step, if it is one of steps."""

    def after_epoch(self, epoch: int) -> None:
        """Update the average after epoch `epoch` (1-based), if it is one of epochs."""

    def evaluated(self) -> "nn.Module":
        """Return the module to score and save: the trained one until there is an average."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the average, without the weights of the trained module."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the average; the trained module's weights are restored by the caller."""


class CurrentWeights:
    """No average: the weights of the trained module as they are."""

    needs_batch_norm_statistics = False
    is_waiting = False

    def __init__(self, module: "nn.Module"):
        self._module = module

    def after_step(self) -> None:
        """Do nothing: there is no average."""

    def after_epoch(self, epoch: int) -> None:
        """Do nothing: there is no average."""

    def evaluated(self) -> "nn.Module":
        return self._module

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing: the state is empty."""


class AveragedWeights:
    """A copy of a module whose weights move towards those of the original, update by update.

    It holds a second set of weights on the same device.
    """

    def __init__(self, original: "nn.Module"):
        self.module = copy.deepcopy(original).requires_grad_(False)
        self.num_updates = 0
        self._original = original

    def update(self, weight: float) -> None:
        """Set the average to (1 - weight) · average + weight · original.

        Args:
            weight: in (0, 1]; 1 makes an exact copy.
        """
        import torch

        averages, originals = list(_tensors(self.module)), list(_tensors(self._original))
        pairs = list(zip(averages, originals, strict=True))
        floats = [(a, b.detach()) for a, b in pairs if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], weight)
        for a, b in pairs:
            if not a.is_floating_point():
                a.copy_(b)
        self.num_updates += 1

    def latest(self) -> "nn.Module":
        """Return the copy, or the original as long as there was no update."""
        return self.module if self.num_updates else self._original

    def state_dict(self) -> dict[str, Any]:
        # "num_taken" is a key of stored snapshots.
        return {"module": self.module.state_dict(), "num_taken": self.num_updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.num_updates = state["num_taken"]


def _tensors(module: "nn.Module") -> list["Tensor"]:
    """Return parameters and buffers, tied ones once.

    Looked up at each update, since a module may replace its buffers.

    Shape: → tensors of any shapes (*)
    """
    return [*module.parameters(), *module.buffers()]


class EpochAverage:
    """SWA: the mean of the weights at the end of every epoch after the first `num_before`.

    The averaged network has never processed a batch, so its BatchNorm statistics must be
    recomputed (Izmailov et al., 2018, section 3.2).
    """

    def __init__(self, module: "nn.Module", num_before: int):
        self._average = AveragedWeights(module)
        self._num_before = num_before

    @property
    def needs_batch_norm_statistics(self) -> bool:
        from audiocls.optim.batch_norm import tracking_norms

        return self._average.num_updates > 0 and bool(tracking_norms(self._average.module))

    @property
    def is_waiting(self) -> bool:
        return self._average.num_updates == 0

    def after_step(self) -> None:
        """Do nothing: the average is one of epochs."""

    def after_epoch(self, epoch: int) -> None:
        """Add the weights after epoch `epoch` (1-based) to the mean, if it is late enough."""
        if epoch > self._num_before:
            # Weight 1 / (n + 1) makes the running average the mean of n + 1 sets of weights.
            self._average.update(1 / (1 + self._average.num_updates))

    def evaluated(self) -> "nn.Module":
        return self._average.latest()

    def state_dict(self) -> dict[str, Any]:
        return self._average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state)


class _Average(Options):
    """An average that leaves the learning rate to the schedule."""

    def wrap_schedule(
        self,
        schedule: LearningRate,
        optimizer: "Optimizer",
        num_epochs: int,
        epoch_steps: int,
    ) -> LearningRate:
        """Return `schedule` itself: this average needs no learning rate of its own."""
        return schedule


class NoAveraging(_Average):
    """No weight averaging: the weights of each epoch's last step are scored and saved."""

    name: Literal["none"] = "none"

    def build(self, model: "nn.Module", num_epochs: int, epoch_steps: int) -> WeightAverage:
        """Return an average that is the current weights of `model`."""
        return CurrentWeights(model)


class Ema(_Average):
    """Exponential moving average of the weights, with a warm-up of the decay.

    It remembers about `every_steps` / (1 - `decay`) steps, 1,000 by default: choose fewer for a
    training that is not several times as long.
    """

    name: Literal["ema"] = "ema"
    decay: float = Field(default=0.995, ge=0.0, lt=1.0)
    """Share of the average that an update keeps, in [0, 1); 0 copies the current weights."""
    every_steps: int = Field(default=5, ge=1)
    """Optimiser steps from one update of the average to the next."""
    decay_per: Literal["update", "epoch"] = added("update")
    """What `decay` is the share of: an update, or a whole epoch of updates. Per epoch the average
    has a half-life of ln 2 / -ln `decay` epochs (138 at 0.995) on data of any size."""

    def build(self, model: "nn.Module", num_epochs: int, epoch_steps: int) -> WeightAverage:
        """Return the moving average of the weights of `model`."""
        from audiocls.optim.moving_average import MovingAverage

        per_epoch = epoch_steps if self.decay_per == "epoch" else None
        return MovingAverage(model, self.decay, self.every_steps, per_epoch)


class Swa(Options):
    """Stochastic weight averaging: the mean of the last epochs' weights (Izmailov et al., 2018).

    With few epochs there is little to average: their share is 1 - `start`.
    """

    name: Literal["swa"] = "swa"
    start: float = Field(default=0.8, ge=0.0, lt=1.0)
    """Share of the epochs before averaging begins, in [0, 1); at least one epoch is averaged."""
    lr: float = Field(default=1e-2, gt=0.0)
    """Learning rate while averaging, in place of the schedule's."""
    anneal_epochs: int = Field(default=10, ge=0)
    """Epochs, after averaging has begun, from the schedule's last rate to `lr` (half a cosine)."""

    def num_before(self, num_epochs: int) -> int:
        """Return the number of epochs that are not averaged.

        >>> [Swa(start=0.75).num_before(num_epochs) for num_epochs in (1, 2, 20)]
        [0, 1, 15]
        """
        return min(round(self.start * num_epochs), num_epochs - 1)

    def build(self, model: "nn.Module", num_epochs: int, epoch_steps: int) -> WeightAverage:
        """Return the average of the weights of `model` after each of its last epochs."""
        return EpochAverage(model, self.num_before(num_epochs))

    def wrap_schedule(
        self,
        schedule: LearningRate,
        optimizer: "Optimizer",
        num_epochs: int,
        epoch_steps: int,
    ) -> LearningRate:
        """Return `schedule`, replaced by the constant `lr` once averaging has begun."""
        from audiocls.optim.swa_rate import SwaRate

        num_before = self.num_before(num_epochs) * epoch_steps
        num_anneal = self.anneal_epochs * epoch_steps
        return SwaRate(schedule, optimizer, num_before, num_anneal, self.lr)
