"""One update of the weights, plain or sharpness-aware; both have the same two members."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from audiocls.optim import Sam
from audiocls.optim.asam import AdaptiveSharpnessAware
from audiocls.optim.sam import SharpnessAware


class OptimizerStep(Protocol):
    """Turns a way to compute gradients into an update."""

    num_passes: int
    """Forward-backward passes a step."""

    def step(self, gradient: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """Update once; `gradient` clears, computes loss and gradients, and returns the loss."""


class StandardStep:
    """The optimiser as it is."""

    num_passes = 1

    def __init__(self, optimizer: Optimizer):
        self._optimizer = optimizer

    def step(self, gradient: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        loss = gradient().detach()
        clip()
        self._optimizer.step()
        return loss


def stepper(sam: Sam, model: nn.Module, optimizer: Optimizer) -> OptimizerStep:
    """`StandardStep` at a radius of 0, else SAM: a radius of 0 costs and changes nothing."""
    if sam.rho == 0:
        return StandardStep(optimizer)
    if sam.adaptive:
        return AdaptiveSharpnessAware(model, optimizer, sam.rho, sam.eta)
    return SharpnessAware(model, optimizer, sam.rho)
