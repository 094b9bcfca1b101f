"""The exponential moving average of the weights, its decay counted by updates or by epochs."""

from typing import TYPE_CHECKING, Any

from audiocls.optim.averaging import AveragedWeights

if TYPE_CHECKING:
    from torch import nn

HASTY_EPOCHS, HASTY_DECAY = 2, 0.01
"""First epochs of an average whose decay is that of an epoch, and the decay in them: the random
start is forgotten at once (the authors' code of Gazneli et al., 2022)."""


class MovingAverage:
    """EMA: every `every_steps` steps, `decay` of the average and 1 - `decay` of the weights.

    The decay warms up as min(decay, (1 + n) / (10 + n)) after n updates, TensorFlow's rule:
    without it the average of a short training would be its random start (0.995 every 5 steps
    remembers 1,000 steps). BatchNorm's running statistics are averaged with the same weights.

    With `epoch_steps` the decay is that of a whole epoch, whatever number of steps it has, and the
    first update follows the first step. For the first `HASTY_EPOCHS` it is `HASTY_DECAY` instead.

    Args:
        module: the module in training.
        decay: in [0, 1), of an update, or of an epoch if `epoch_steps` is given.
        every_steps: optimiser steps from one update to the next, 1 or more.
        epoch_steps: optimiser steps of an epoch.
    """

    needs_batch_norm_statistics = False
    is_waiting = False

    def __init__(
        self, module: "nn.Module", decay: float, every_steps: int, epoch_steps: int | None = None
    ):
        self._average = AveragedWeights(module)
        self._decay = decay
        self._every_steps = every_steps
        self._epoch_steps = epoch_steps
        self._num_steps = 0

    def after_step(self) -> None:
        """Count the step, and update the average after every `every_steps` of them."""
        first = self._every_steps if self._epoch_steps is None else 1
        self._num_steps += 1
        if (self._num_steps - first) % self._every_steps == 0:
            self._average.update(1 - self._kept())

    def _kept(self) -> float:
        """Return the share of the average that the next update keeps."""
        if self._epoch_steps is None:
            n = self._average.num_updates
            return min(self._decay, (1 + n) / (10 + n))
        is_hasty = self._num_steps <= HASTY_EPOCHS * self._epoch_steps
        per_epoch = min(self._decay, HASTY_DECAY) if is_hasty else self._decay
        return float(per_epoch ** (self._every_steps / self._epoch_steps))

    def after_epoch(self, epoch: int) -> None:
        """Do nothing: the average is one of steps."""

    def evaluated(self) -> "nn.Module":
        return self._average.latest()

    def state_dict(self) -> dict[str, Any]:
        return {**self._average.state_dict(), "num_steps": self._num_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state)
        self._num_steps = state["num_steps"]
