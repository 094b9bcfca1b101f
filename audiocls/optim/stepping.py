"""One update of the weights: plain, SAM or adaptive SAM behind one protocol."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from audiocls.optim import Sam
from audiocls.optim.asam import AdaptiveSharpnessAware
from audiocls.optim.sam import SharpnessAware


class OptimizerStep(Protocol):
    """Turns a way to compute gradients into an update of the weights."""

    num_passes: int
    """Forward-backward passes per step."""

    def step(self, closure: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """Update the weights once.

        Args:
            closure: clears the gradients, computes loss and gradients, and returns the loss; it
                is called `num_passes` times and must compute the same function each time.
            clip: clips the gradients that the update is made from; called once, before it.

        Shape: → loss () at the weights before the step, detached
        """


class StandardStep:
    """The step of `optimizer` itself: one gradient, one update."""

    num_passes = 1

    def __init__(self, optimizer: Optimizer):
        self._optimizer = optimizer

    def step(self, closure: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """Update once, as `OptimizerStep.step`, with `closure` called once.

        Shape: → loss () at the weights before the step
        """
        loss = closure().detach()
        clip()
        self._optimizer.step()
        return loss


def stepper(sam: Sam, model: nn.Module, optimizer: Optimizer) -> OptimizerStep:
    """Return the step that the options `sam` ask for.

    At `sam.rho` 0 it is `StandardStep`: a second pass would cost as much and change nothing.
    """
    if sam.rho == 0:
        return StandardStep(optimizer)
    if sam.adaptive:
        return AdaptiveSharpnessAware(model, optimizer, sam.rho, sam.eta)
    return SharpnessAware(model, optimizer, sam.rho)
