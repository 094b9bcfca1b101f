"""Adam's step on a CPU as calls of torch's kernel, without what `Optimizer.step` does around them.

That gathers weights, gradients and moments anew in each step, which takes a small network longer
than the update itself. Here they are gathered once; the numbers are the same to the bit.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from audiocls.optim.torch_optimizers import Adam, AdamW

KERNELS: dict[type, Callable[..., None]] = {
    **dict.fromkeys((Adam, torch.optim.Adam), torch._fused_adam_),
    **dict.fromkeys((AdamW, torch.optim.AdamW), torch._fused_adamw_),
}


class KernelStep:
    """`StandardStep` for a loss that is not scaled and an optimiser that `has_kernel` accepts.

    Torch's own step makes the moments, and all steps in which a weight has no gradient, or what
    was gathered has been replaced since.
    """

    num_passes = 1

    def __init__(self, optimizer: Optimizer):
        self._optimizer = optimizer
        self._groups: list[_Group] = []

    def step(self, closure: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """Update once, as `OptimizerStep.step`, with `closure` called once.

        Shape: → loss () at the weights before the step
        """
        loss = closure().detach()
        clip()
        if self._groups and all(group.is_ready() for group in self._groups):
            with torch.no_grad():
                self._counts.add_(1)
                for group in self._groups:
                    group.update()
        else:
            self._optimizer.step()
            self._gather()
        return loss

    def _gather(self) -> None:
        """Gather weights and moments, if each weight has been updated once.

        Not for a graph, which reads its rates from tensors and holds on to the moments as they are.
        Counts of steps become parts of one tensor: adding to each takes as long as the update.
        """
        optimizer, self._groups = self._optimizer, []
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        is_of_graph = any(type(group["lr"]) is not float for group in optimizer.param_groups)
        if is_of_graph or not all(weight in optimizer.state for weight in weights):
            return
        held = [optimizer.state[weight] for weight in weights]
        self._counts = torch.stack([each["step"] for each in held])
        for each, count in zip(held, self._counts.unbind(), strict=True):
            each["step"] = count
        self._groups = [_Group(optimizer, group) for group in optimizer.param_groups]


def has_kernel(optimizer: Optimizer) -> bool:
    """Whether the optimiser is Adam or AdamW by its fused kernel, of float32 weights on the CPU."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    is_usual = all(weight.is_cpu and weight.dtype == torch.float32 for weight in weights)
    others = ("amsgrad", "maximize", "capturable", "differentiable")
    is_plain = not any(group.get(name) for group in optimizer.param_groups for name in others)
    is_fused = all(group.get("fused") for group in optimizer.param_groups)
    return type(optimizer) in KERNELS and is_usual and is_plain and is_fused


class _Group:
    """The weights of one parameter group, and their moments as they are now."""

    def __init__(self, optimizer: Optimizer, options: dict[str, Any]):
        self._kernel = KERNELS[type(optimizer)]
        self._optimizer, self._states, self._options = optimizer, optimizer.state, options
        self._weights = options["params"]
        held = [optimizer.state[weight] for weight in self._weights]
        self._first = held[0]
        self._means, self._squares, self._counts = (
            [each[name] for each in held] for name in ("exp_avg", "exp_avg_sq", "step")
        )

    def is_ready(self) -> bool:
        """Note the gradients; return whether all are there, and the moments where they were."""
        self._gradients = [weight.grad for weight in self._weights]
        return (
            self._optimizer.state is self._states
            and self._first["exp_avg"] is self._means[0]
            and type(self._options["lr"]) is float
            and not any(gradient is None for gradient in self._gradients)
        )

    def update(self) -> None:
        """Update the weights in place, by the options as the schedule has set them."""
        options, (first, second) = self._options, self._options["betas"]
        self._kernel(
            self._weights,
            self._gradients,
            self._means,
            self._squares,
            [],
            self._counts,
            lr=options["lr"],
            beta1=first,
            beta2=second,
            weight_decay=options["weight_decay"],
            eps=options["eps"],
            amsgrad=False,
            maximize=False,
        )
        self._gradients = []  # their memory is that of the next ones
