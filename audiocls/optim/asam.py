"""Adaptive SAM: a neighbourhood measured relative to each weight (Kwon et al., 2021, section 3).

SAM's ball of radius ρ changes its meaning when one layer's weights are scaled up and the next
one's down, although the function stays the same. ASAM looks at ‖ε / T‖ ≤ ρ with T = |w| + η
instead, element by element; to first order the worst point there is ε = ρ · T² g / ‖T g‖. T holds
for every parameter, biases included. η keeps weights near 0 from standing still; the invariance
is exact at η = 0 only. `sam-pytorch` has no such variant, hence this one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from audiocls.optim.batch_norm import frozen_batch_norm


class AdaptiveSharpnessAware:
    """Step `optimizer` along the gradient at the worst point within the relative radius `rho`.

    Args:
        model: its trainable parameters are perturbed, its BatchNorm statistics are not.
        optimizer: any optimiser of these parameters.
        rho: radius, above 0; the paper's are 0.5 to 1, ten times SAM's.
        eta: added to |w|, 0 or more, in units of the weights.
    """

    num_passes = 2

    def __init__(self, model: nn.Module, optimizer: Optimizer, rho: float, eta: float):
        self._model = model
        self._optimizer = optimizer
        self._rho = rho
        self._eta = eta
        self._parameters = [p for p in model.parameters() if p.requires_grad]

    def step(self, closure: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """Update once, as `OptimizerStep.step`, with `closure` called twice.

        Shape: → loss () at the weights before the step
        """
        first_loss = closure().detach()
        with self._at_worst_point(), frozen_batch_norm(self._model):
            closure()
        # Only the second gradient makes the update. Clipping the first would change nothing: the
        # perturbation does not depend on the gradient's norm.
        clip()
        self._optimizer.step()
        return first_loss

    @contextmanager
    def _at_worst_point(self) -> Iterator[None]:
        """Perturb the weights; restore them to the bit afterwards, even if the pass raises."""
        perturbed: list[Tensor] = [p for p in self._parameters if p.grad is not None]
        with torch.no_grad():
            # Copies rather than a subtraction, which would round differently.
            originals = [p.clone() for p in perturbed]
            torch._foreach_add_(perturbed, self._perturbation(perturbed))
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(perturbed, originals)

    def _perturbation(self, weights: list[Tensor]) -> list[Tensor]:
        """Return ε = ρ T² g / ‖T g‖ per parameter; 0 for a gradient of 0, which has no direction.

        Shape: weights, any shapes (*) → the same shapes (*)
        """
        scales = list(torch._foreach_add(torch._foreach_abs(weights), self._eta))  # T
        gradients = [p.grad for p in weights if p.grad is not None]
        scaled = list(torch._foreach_mul(gradients, scales))  # T g
        norm = torch.stack(torch._foreach_norm(scaled)).norm()
        # Chosen on the device: an `if` would wait for it.
        radius = torch.where(norm > 0, self._rho / norm, 0.0)
        return [step * scale * radius for step, scale in zip(scaled, scales, strict=True)]
