"""Averages of the weights along a training, to be scored and saved in place of the last weights.

Parameters and floating-point buffers are averaged alike; whole numbers are copied.
"""

import copy
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from audiocls.optim.batch_norm import tracking_norms


class WeightAverage(Protocol):
    """Watches one module train, and answers which weights to use."""

    @property
    def needs_batch_norm_statistics(self) -> bool:
        """Whether `evaluated()` must go through `refresh_batch_norm` before it is scored."""

    @property
    def is_waiting(self) -> bool:
        """Whether the weights it is there for are still to come."""

    def after_step(self) -> None:
        """After every optimiser step."""

    def after_epoch(self, epoch: int) -> None:
        """After every epoch; `epoch` of them are behind us."""

    def evaluated(self) -> nn.Module:
        """The module to score and to save: the live one until something has been averaged."""

    def state_dict(self) -> dict[str, Any]:
        """The average, without the live module."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; the live module's weights are loaded beside it."""


class CurrentWeights:
    """No average: the weights as they are."""

    needs_batch_norm_statistics = False
    is_waiting = False

    def __init__(self, module: nn.Module):
        self._module = module

    def after_step(self) -> None:
        """Nothing to do."""

    def after_epoch(self, epoch: int) -> None:
        """Nothing to do."""

    def evaluated(self) -> nn.Module:
        return self._module

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""


class AveragedWeights:
    """A copy of a module that moves towards it, each time by a stated share of the way."""

    def __init__(self, live: nn.Module):
        self.module = copy.deepcopy(live).requires_grad_(False)
        self.num_taken = 0
        self._live = live

    def update(self, share: float) -> None:
        """Go `share` of the way to where the live module is; 1 makes an exact copy."""
        mine, theirs = list(_tensors(self.module)), list(_tensors(self._live))
        pairs = list(zip(mine, theirs, strict=True))
        floats = [(a, b.detach()) for a, b in pairs if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], share)
        for a, b in pairs:
            if not a.is_floating_point():
                a.copy_(b)
        self.num_taken += 1

    def latest(self) -> nn.Module:
        """The copy, or the live module as long as nothing has been taken in."""
        return self.module if self.num_taken else self._live

    def state_dict(self) -> dict[str, Any]:
        return {"module": self.module.state_dict(), "num_taken": self.num_taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.num_taken = state["num_taken"]


def _tensors(module: nn.Module) -> list[Tensor]:
    """Each once, tied ones too; looked up anew, for a module may replace its buffers."""
    return [*module.parameters(), *module.buffers()]


class MovingAverage:
    """EMA: every so many steps, `decay` of the average and the rest of the live weights.

    The decay warms up as min(decay, (1 + n) / (10 + n)) with n updates made, TensorFlow's rule:
    without it the average of a short training would be its random start (0.995 every 5 steps
    remembers 1,000 steps). BatchNorm's running statistics are averaged with the same weights.
    """

    needs_batch_norm_statistics = False
    is_waiting = False

    def __init__(self, module: nn.Module, decay: float, every_steps: int):
        self._shadow = AveragedWeights(module)
        self._decay = decay
        self._every_steps = every_steps
        self._num_steps = 0

    def after_step(self) -> None:
        self._num_steps += 1
        if self._num_steps % self._every_steps == 0:
            n = self._shadow.num_taken
            self._shadow.update(1 - min(self._decay, (1 + n) / (10 + n)))

    def after_epoch(self, epoch: int) -> None:
        """Nothing to do."""

    def evaluated(self) -> nn.Module:
        return self._shadow.latest()

    def state_dict(self) -> dict[str, Any]:
        return {**self._shadow.state_dict(), "num_steps": self._num_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._shadow.load_state_dict(state)
        self._num_steps = state["num_steps"]


class EpochAverage:
    """SWA: the mean of the weights at the end of every epoch after the first `num_before`.

    The mean of weights has never seen a batch, so BatchNorm's statistics are recomputed.
    """

    def __init__(self, module: nn.Module, num_before: int):
        self._shadow = AveragedWeights(module)
        self._num_before = num_before

    @property
    def needs_batch_norm_statistics(self) -> bool:
        return self._shadow.num_taken > 0 and bool(tracking_norms(self._shadow.module))

    @property
    def is_waiting(self) -> bool:
        return self._shadow.num_taken == 0

    def after_step(self) -> None:
        """Nothing to do."""

    def after_epoch(self, epoch: int) -> None:
        if epoch > self._num_before:
            self._shadow.update(1 / (1 + self._shadow.num_taken))

    def evaluated(self) -> nn.Module:
        return self._shadow.latest()

    def state_dict(self) -> dict[str, Any]:
        return self._shadow.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._shadow.load_state_dict(state)
