"""Scaling of the loss, without which small gradients vanish in float16.

Micikevicius et al., "Mixed precision training", ICLR 2018. Torch-free until one is built.
"""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


class LossScaling(Protocol):
    """Multiplies losses before their gradients are computed, and divides the gradients again."""

    was_skipped: bool
    """Whether the last step was left out, since its gradient was infinite or NaN."""

    def backward(self, loss: "Tensor") -> None:
        """Add the gradients of a loss, scaled. Shape: loss ()"""

    def unscale(self, optimizer: "Optimizer") -> None:
        """Divide the gradients, before they are measured or clipped."""

    def step(self, optimizer: "Optimizer") -> None:
        """Update the weights, unless the gradient overflowed."""

    def state_dict(self) -> dict[str, Any]:
        """Return the scale and what decides its growth."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""


class NoScaling:
    """Losses and gradients as they are: float32 and bfloat16 have the same range."""

    was_skipped = False

    def backward(self, loss: "Tensor") -> None:
        import torch

        if loss.ndim > 0:
            torch.autograd.backward(loss)  # which says what is wrong with it
            return
        # What that calls in the end: the checks before take as long as a small network's gradient.
        torch.autograd.Variable._execution_engine.run_backward(
            (loss,),
            (torch.ones_like(loss),),
            False,  # retain_graph
            False,  # create_graph
            (),  # inputs
            allow_unreachable=True,
            accumulate_grad=True,
        )

    def unscale(self, optimizer: "Optimizer") -> None:
        """Do nothing: the gradients are not scaled."""

    def step(self, optimizer: "Optimizer") -> None:
        optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing: the state is empty."""


class DynamicScaling:
    """Torch's `GradScaler`: halved after an overflow, doubled after 2,000 steps without one.

    Whether a step was left out is read from the device, so each step waits for it.

    Args:
        device: its type, `cuda` or `cpu`.
        first: the scale of the first step, above 0.
    """

    def __init__(self, device: str, first: float):
        from torch.amp.grad_scaler import GradScaler

        self._scaler = GradScaler(device, init_scale=first)
        self.was_skipped = False

    def backward(self, loss: "Tensor") -> None:
        import torch

        torch.autograd.backward(self._scaler.scale(loss))

    def unscale(self, optimizer: "Optimizer") -> None:
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: "Optimizer") -> None:
        before = self._scaler.get_scale()
        self._scaler.step(optimizer)
        self._scaler.update()
        self.was_skipped = self._scaler.get_scale() < before

    def state_dict(self) -> dict[str, Any]:
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scaler.load_state_dict(state)
