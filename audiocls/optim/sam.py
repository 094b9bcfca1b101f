"""SAM through `sam-pytorch`, with the traps of that package handled (Foret et al., 2021).

What the package leaves to its caller, and what is done about it here:

* a gradient of zero divides 0 by 0 and fills the weights with NaN: the radius becomes 0 instead;
* clipping must act on the second gradient only: `step` takes the clipping as a function;
* BatchNorm would see every batch twice: its running statistics stand still in the second pass;
* its `state_dict` forgets the inner optimiser: save and schedule the inner optimiser itself.
"""

from collections.abc import Callable

import torch
from sam import SAM
from torch import Tensor, nn
from torch.optim import Optimizer

from audiocls.optim.batch_norm import frozen_batch_norm

TINY = 1e-12


class SharpnessAware:
    """Steps `optimizer` along the gradient found at the worst point within `rho`."""

    num_passes = 2

    def __init__(self, model: nn.Module, optimizer: Optimizer, rho: float):
        self._model = model
        self._rho = rho
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._sam = SAM(self._parameters, optimizer, rho)

    def step(self, gradient: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """One update; `gradient` clears, computes loss and gradients, and returns the loss."""
        first_loss = gradient().detach()
        self._guard_zero_gradient()
        passes = iter((lambda: first_loss, lambda: self._second_pass(gradient, clip)))
        self._sam.step(lambda: next(passes)())
        return first_loss

    def _second_pass(self, gradient: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        with frozen_batch_norm(self._model):
            loss = gradient()
        clip()
        return loss

    def _guard_zero_gradient(self) -> None:
        """Without a branch on the device: a zero gradient gets a tiny entry and a radius of 0."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        is_zero = norm == 0
        gradients[0].view(-1)[0] += is_zero * TINY
        self._sam.param_groups[0]["rho"] = torch.where(is_zero, 0.0, self._rho)
