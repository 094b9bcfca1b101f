"""SAM through `sam-pytorch`, with the traps of that package handled (Foret et al., 2021).

What the package leaves to its caller, and what is done about it here:

* a gradient of zero divides 0 by 0 and fills the weights with NaN: the radius becomes 0 instead;
* clipping must act on the second gradient only: `step` takes the clipping as a function;
* BatchNorm would see every batch twice: its running statistics stand still in the second pass;
* its `state_dict` omits the inner optimiser: save and schedule the inner optimiser itself.
"""

from collections.abc import Callable

import torch
from sam import SAM
from torch import Tensor, nn
from torch.optim import Optimizer

from audiocls.optim.batch_norm import frozen_batch_norm

TINY = 1e-12
"""Entry of a gradient that would be all zeros; with a radius of 0 it moves no weight by itself."""


class SharpnessAware:
    """Step `optimizer` along the gradient at the worst point within the radius `rho`.

    Args:
        model: its trainable parameters are perturbed, its BatchNorm statistics are not.
        optimizer: any optimiser of these parameters.
        rho: L2 radius over all weights together, above 0; the paper's is 0.05.
    """

    num_passes = 2

    def __init__(self, model: nn.Module, optimizer: Optimizer, rho: float):
        self._model = model
        self._rho = rho
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._sam = SAM(self._parameters, optimizer, rho)

    def step(self, closure: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """Update once, as `OptimizerStep.step`, with `closure` called twice.

        Shape: → loss () at the weights before the step
        """
        first_loss = closure().detach()
        self._guard_zero_gradient()
        # SAM calls its closure before and after the perturbation; the first pass is done already.
        passes = iter((lambda: first_loss, lambda: self._second_pass(closure, clip)))
        self._sam.step(lambda: next(passes)())
        return first_loss

    def _second_pass(self, closure: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """Compute and clip the gradient at the perturbed weights.

        Shape: → loss () there
        """
        with frozen_batch_norm(self._model):
            loss = closure()
        clip()
        return loss

    def _guard_zero_gradient(self) -> None:
        """Replace a gradient of zero by a tiny entry and set the radius to 0 for this step.

        Without a branch, which would wait for the device.
        """
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        is_zero = norm == 0
        gradients[0].view(-1)[0] += is_zero * TINY
        self._sam.param_groups[0]["rho"] = torch.where(is_zero, 0.0, self._rho)
