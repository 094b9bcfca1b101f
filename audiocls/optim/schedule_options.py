"""Options of the learning-rate schedules (torch-free); the schedules are in `schedules.py`.

Options count in epochs; `build` turns them into optimiser steps.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from audiocls.options import Options

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from audiocls.optim.schedules import LearningRate


class Constant(Options):
    """Constant learning rate."""

    name: Literal["constant"] = "constant"

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> "LearningRate":
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from audiocls.optim import schedules

        return schedules.constant(optimizer)


class Cosine(Options):
    """Linear warm-up, then a half cosine down to zero (Loshchilov and Hutter, 2017).

    The rate is low only near the last epoch: not with `train.patience`, which may stop before it.
    """

    name: Literal["cosine"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0.0)
    """Epochs, or a fraction of one, from near 0 up to `optim.lr`."""

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> "LearningRate":
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from audiocls.optim import schedules

        warmup = round(self.warmup_epochs * epoch_steps)
        return schedules.warmup_cosine(optimizer, warmup, num_epochs * epoch_steps)


class OneCycle(Options):
    """One cycle: up to `optim.lr` and down again (Smith and Topin, 2018).

    The rate is low only near the last epoch: not with `train.patience`, which may stop before it.
    """

    name: Literal["onecycle"] = "onecycle"
    pct_start: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Share of the steps on the way up, in (0, 1), despite torch's name no percentage."""

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> "LearningRate":
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from audiocls.optim import schedules

        return schedules.one_cycle(optimizer, self.pct_start, num_epochs * epoch_steps)


class Step(Options):
    """Step decay: multiply the learning rate by `gamma` every `every_epochs` epochs."""

    name: Literal["step"] = "step"
    every_epochs: int = Field(default=10, ge=1)
    gamma: float = Field(default=0.1, gt=0.0, le=1.0)

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> "LearningRate":
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from audiocls.optim import schedules

        return schedules.step(optimizer, self.every_epochs * epoch_steps, self.gamma)


class Plateau(Options):
    """Multiply the learning rate by `factor` when the selection metric has stopped improving.

    Not for few validation clips, whose noise looks like a plateau.
    """

    name: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.5, gt=0.0, lt=1.0)
    patience: int = Field(default=10, ge=0)
    """Epochs in a row without a new best that are tolerated; the next one lowers the rate."""

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> "LearningRate":
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from audiocls.optim import schedules

        return schedules.OnPlateau(optimizer, self.factor, self.patience)
