"""Updates of several trials' weights at once, one row a trial, each with its own rates.

The algorithms are those of `optim.optimizers`, whose kernels have one rate for all rows. Here rates
are columns, so that trials may differ in them.

Legend: K trials, P weights of a trial.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from audiocls.optim import torch_optimizers


class StackedUpdate(Protocol):
    """The state of one optimiser for K trials, and its step."""

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of a parameter's state in torch's optimiser, in the order of `moments`."""

    @property
    def moments(self) -> tuple[Tensor, ...]:
        """(K, P) each."""

    def options_of(self, group: dict[str, Any]) -> tuple[float, ...]:
        """Return the n numbers of an optimiser's group that may differ from step to step."""

    def step(self, weights: Tensor, gradients: Tensor, options: Tensor) -> None:
        """Update the weights in place.

        Args:
            options: of each trial, what `options_of` its first group returned.

        Shape: weights (K, P), gradients (K, P), options (n, K, 1)
        """


class StackedAdam:
    """Adam, and AdamW where `is_decoupled`.

    Args:
        decay: weight decay of each weight.
        num_steps: steps that each trial has done.

    Shape: like (K, P), decay (K, P), num_steps (K, 1)
    """

    names = ("exp_avg", "exp_avg_sq")

    def __init__(self, like: Tensor, decay: Tensor, num_steps: Tensor, is_decoupled: bool):
        """Start with moments of 0. Shape: like (K, P), decay (K, P), num_steps (K, 1)"""
        self.moments = (torch.zeros_like(like), torch.zeros_like(like))
        self._decay, self._num_steps, self._is_decoupled = decay, num_steps, is_decoupled

    def options_of(self, group: dict[str, Any]) -> tuple[float, ...]:
        """Return rate, ε and both betas."""
        return group["lr"], group["eps"], *group["betas"]

    def step(self, weights: Tensor, gradients: Tensor, options: Tensor) -> None:
        """Update as `StackedUpdate.step`.

        Shape: weights (K, P), gradients (K, P), options (4, K, 1)
        """
        lr, eps, first, second = options
        self._num_steps += 1
        if self._is_decoupled:
            weights.mul_(1 - lr * self._decay)
        else:
            gradients = gradients + self._decay * weights
        mean, square = self.moments
        mean.lerp_(gradients, (1 - first).expand_as(mean))
        square.mul_(second).add_((1 - second) * gradients * gradients)
        scale = (square / (1 - second**self._num_steps)).sqrt_().add_(eps)
        weights.sub_(lr / (1 - first**self._num_steps) * mean / scale)


class StackedSgd:
    """SGD with (Nesterov) momentum. Shape: like (K, P), decay (K, P)"""

    names = ("momentum_buffer",)

    def __init__(self, like: Tensor, decay: Tensor, is_nesterov: bool):
        """Start with momentum of 0. Shape: like (K, P), decay (K, P)"""
        self.moments = (torch.zeros_like(like),)
        self._decay, self._is_nesterov = decay, is_nesterov

    def options_of(self, group: dict[str, Any]) -> tuple[float, ...]:
        """Return rate and momentum."""
        return group["lr"], group["momentum"]

    def step(self, weights: Tensor, gradients: Tensor, options: Tensor) -> None:
        """Update as `StackedUpdate.step`.

        Shape: weights (K, P), gradients (K, P), options (2, K, 1)
        """
        lr, momentum = options
        gradients = gradients + self._decay * weights
        (buffer,) = self.moments
        buffer.mul_(momentum).add_(gradients)
        moved = gradients + momentum * buffer if self._is_nesterov else buffer
        weights.sub_(lr * moved)


def can_stack(optimizer: Optimizer) -> bool:
    """Whether there is a stacked form of an optimiser."""
    ours = (torch_optimizers.AdamW, torch_optimizers.Adam, torch_optimizers.SGD)
    return type(optimizer) in (AdamW, Adam, SGD, *ours)


def stacked_update(
    optimizer: Optimizer, like: Tensor, decay: Tensor, num_steps: Sequence[float]
) -> StackedUpdate:
    """Return the stacked form of optimisers like this one, without anything in its moments.

    Shape: like (K, P), decay (K, P); num_steps of each trial
    """
    assert can_stack(optimizer), "trials with other optimisers are not packed"
    if isinstance(optimizer, SGD):
        return StackedSgd(like, decay, optimizer.param_groups[0]["nesterov"])
    steps = torch.from_numpy(np.array(num_steps)).to(like.device, like.dtype).unsqueeze(1)
    return StackedAdam(like, decay, steps, is_decoupled=isinstance(optimizer, AdamW))
