"""Adaptive SAM: a neighbourhood measured relative to each weight (Kwon et al., 2021, section 3).

SAM's ball of radius ρ changes its meaning when one layer's weights are scaled up and the next
one's down, although the function stays the same. ASAM looks at ‖ε / T‖ ≤ ρ with T = |w| + η
instead, element by element; to first order the worst point there is ε = ρ · T² g / ‖T g‖. T stands
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
    """Steps `optimizer` along the gradient found at the worst point within relative `rho`."""

    num_passes = 2

    def __init__(self, model: nn.Module, optimizer: Optimizer, rho: float, eta: float):
        self._model = model
        self._optimizer = optimizer
        self._rho = rho
        self._eta = eta
        self._parameters = [p for p in model.parameters() if p.requires_grad]

    def step(self, gradient: Callable[[], Tensor], clip: Callable[[], None]) -> Tensor:
        """One update; `gradient` clears, computes loss and gradients, and returns the loss."""
        first_loss = gradient().detach()
        with self._at_worst_point(), frozen_batch_norm(self._model):
            gradient()
        clip()
        self._optimizer.step()
        return first_loss

    @contextmanager
    def _at_worst_point(self) -> Iterator[None]:
        """The weights are moved there, and come back to the bit even if the pass raises."""
        moved: list[Tensor] = [p for p in self._parameters if p.grad is not None]
        with torch.no_grad():
            home = [p.clone() for p in moved]
            torch._foreach_add_(moved, self._perturbation(moved))
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(moved, home)

    def _perturbation(self, weights: list[Tensor]) -> list[Tensor]:
        """ρ T² g / ‖T g‖, and 0 for a gradient of 0, which has no worst direction."""
        scales = list(torch._foreach_add(torch._foreach_abs(weights), self._eta))
        gradients = [p.grad for p in weights if p.grad is not None]
        scaled = list(torch._foreach_mul(gradients, scales))
        norm = torch.stack(torch._foreach_norm(scaled)).norm()
        # Chosen on the device, without waiting for it.
        radius = torch.where(norm > 0, self._rho / norm, 0.0)
        return [step * scale * radius for step, scale in zip(scaled, scales, strict=True)]
