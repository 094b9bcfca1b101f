"""LARS: gradient descent whose steps are a fixed share of the size of each tensor.

You, Gitman and Ginsburg, "Large batch training of convolutional networks" (2017, arXiv 1708.03888).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from audiocls.optim.torch_optimizers import Optimizer


class LayerwiseAdaptive(Optimizer):
    """Moves each tensor w by -lr · trust · |w| / |u| · u, with u = gradient + weight_decay · w.

    Momentum is kept of the moves, rates included, as optax has it: a lower rate does not shorten
    what is left of earlier ones. A tensor of zeros, or one without gradient, moves by -lr · u.

    Args:
        groups: as of any optimiser of torch, with a `weight_decay` each.
        lr: peak learning rate.
        momentum: decay per step of the running sum of moves, in [0, 1).
        nesterov: whether a step looks ahead by one move.
        trust: the share.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        momentum: float,
        nesterov: bool,
        trust: float,
    ):
        defaults = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "trust": trust}
        super().__init__(groups, {**defaults, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all weights once from their gradients."""
        assert closure is None, "gradients are computed before"
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.add_(self._move(parameter, parameter.grad, group))

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        """Return the change of a tensor. Shape: any, twice → the same"""
        update = gradient.add(parameter, alpha=group["weight_decay"])
        sizes = parameter.norm(), update.norm()
        is_zero = (sizes[0] == 0) | (sizes[1] == 0)
        # Divided by 1 where the share is not used: on the device, without waiting for it.
        share = group["trust"] * sizes[0] / sizes[1].where(~is_zero, 1.0)
        move: Tensor = -group["lr"] * share.where(~is_zero, 1.0) * update
        if group["momentum"] == 0:
            return move
        state = self.state[parameter]
        moved: Tensor = state.setdefault("momentum_buffer", torch.zeros_like(parameter))
        moved.mul_(group["momentum"]).add_(move)
        return torch.add(move, moved, alpha=group["momentum"]) if group["nesterov"] else moved
