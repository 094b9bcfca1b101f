"""Averages of the weights along a training, to be scored and saved in place of the last weights.

Parameters and floating-point buffers are averaged alike; integer buffers are copied.
"""

import copy
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from audiocls.optim.batch_norm import tracking_norms


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

    def evaluated(self) -> nn.Module:
        """Return the module to score and save: the trained one until there is an average."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the average, without the weights of the trained module."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the average; the trained module's weights are restored by the caller."""


class CurrentWeights:
    """No average: the weights of the trained module as they are."""

    needs_batch_norm_statistics = False
    is_waiting = False

    def __init__(self, module: nn.Module):
        self._module = module

    def after_step(self) -> None:
        """Do nothing: there is no average."""

    def after_epoch(self, epoch: int) -> None:
        """Do nothing: there is no average."""

    def evaluated(self) -> nn.Module:
        return self._module

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing: the state is empty."""


class AveragedWeights:
    """A copy of a module whose weights move towards those of the original, update by update.

    It holds a second set of weights on the same device.
    """

    def __init__(self, original: nn.Module):
        self.module = copy.deepcopy(original).requires_grad_(False)
        self.num_updates = 0
        self._original = original

    def update(self, weight: float) -> None:
        """Set the average to (1 - weight) · average + weight · original.

        Args:
            weight: in (0, 1]; 1 makes an exact copy.
        """
        averages, originals = list(_tensors(self.module)), list(_tensors(self._original))
        pairs = list(zip(averages, originals, strict=True))
        floats = [(a, b.detach()) for a, b in pairs if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], weight)
        for a, b in pairs:
            if not a.is_floating_point():
                a.copy_(b)
        self.num_updates += 1

    def latest(self) -> nn.Module:
        """Return the copy, or the original as long as there was no update."""
        return self.module if self.num_updates else self._original

    def state_dict(self) -> dict[str, Any]:
        # "num_taken" is a key of stored snapshots.
        return {"module": self.module.state_dict(), "num_taken": self.num_updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.num_updates = state["num_taken"]


def _tensors(module: nn.Module) -> list[Tensor]:
    """Return parameters and buffers, tied ones once.

    Looked up at each update, since a module may replace its buffers.

    Shape: → tensors of any shapes (*)
    """
    return [*module.parameters(), *module.buffers()]


class MovingAverage:
    """EMA: every `every_steps` steps, `decay` of the average and 1 - `decay` of the weights.

    The decay warms up as min(decay, (1 + n) / (10 + n)) after n updates, TensorFlow's rule:
    without it the average of a short training would be its random start (0.995 every 5 steps
    remembers 1,000 steps). BatchNorm's running statistics are averaged with the same weights.

    Args:
        module: the module in training.
        decay: in [0, 1).
        every_steps: optimiser steps from one update to the next, 1 or more.
    """

    needs_batch_norm_statistics = False
    is_waiting = False

    def __init__(self, module: nn.Module, decay: float, every_steps: int):
        self._average = AveragedWeights(module)
        self._decay = decay
        self._every_steps = every_steps
        self._num_steps = 0

    def after_step(self) -> None:
        """Count the step, and update the average after every `every_steps` of them."""
        self._num_steps += 1
        if self._num_steps % self._every_steps == 0:
            n = self._average.num_updates
            self._average.update(1 - min(self._decay, (1 + n) / (10 + n)))

    def after_epoch(self, epoch: int) -> None:
        """Do nothing: the average is one of steps."""

    def evaluated(self) -> nn.Module:
        return self._average.latest()

    def state_dict(self) -> dict[str, Any]:
        return {**self._average.state_dict(), "num_steps": self._num_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state)
        self._num_steps = state["num_steps"]


class EpochAverage:
    """SWA: the mean of the weights at the end of every epoch after the first `num_before`.

    The averaged network has never processed a batch, so its BatchNorm statistics must be
    recomputed (Izmailov et al., 2018, section 3.2).
    """

    def __init__(self, module: nn.Module, num_before: int):
        self._average = AveragedWeights(module)
        self._num_before = num_before

    @property
    def needs_batch_norm_statistics(self) -> bool:
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

    def evaluated(self) -> nn.Module:
        return self._average.latest()

    def state_dict(self) -> dict[str, Any]:
        return self._average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state)
