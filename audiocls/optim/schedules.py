"""Learning-rate schedules: stepped after every optimiser step, some by each epoch's score.

Options count in epochs; `build` turns them into optimiser steps. Torch-free until one is built.
"""

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field, model_validator

from audiocls.options import Options, added

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

Momentum = Annotated[float, Field(ge=0.0, lt=1.0)]


class LearningRate(Protocol):
    """Sets the rates of one optimiser's groups; rates and state survive a restart exactly."""

    @property
    def lr(self) -> float:
        """The rate of the next step, of the optimiser's first group."""

    def step(self) -> None:
        """Set the rate of the next step; call it after every optimiser step."""

    def end_epoch(self, score: float) -> None:
        """Set the rate of the next epoch by `score`, of which more is better."""

    def state_dict(self) -> dict[str, Any]:
        """Return all but the optimiser's state, which includes the rates."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the schedule; the optimiser's state is restored by the caller."""


class PerStep:
    """A torch scheduler that is stepped once per optimiser step and ignores scores."""

    def __init__(self, scheduler: "LRScheduler"):
        self._scheduler = scheduler

    @property
    def lr(self) -> float:
        return rates(self._scheduler.optimizer)[0]

    def step(self) -> None:
        self._scheduler.step()

    def end_epoch(self, score: float) -> None:
        """Do nothing: the rate depends on the number of steps alone."""

    def state_dict(self) -> dict[str, Any]:
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scheduler.load_state_dict(state)


class OnPlateau:
    """Multiplies by `factor` once more than `patience` epochs in a row brought no better score.

    Any gain counts, however small: torch's own threshold is relative, and would call a slightly
    worse score better where scores are negative (a loss with its sign turned).

    Args:
        optimizer: whose groups are all scaled.
        factor: in (0, 1).
        patience: epochs, 0 or more.
    """

    def __init__(self, optimizer: "Optimizer", factor: float, patience: int):
        from torch.optim.lr_scheduler import ReduceLROnPlateau

        self._scheduler = ReduceLROnPlateau(
            optimizer, "max", factor, patience, threshold=0.0, threshold_mode="abs"
        )

    @property
    def lr(self) -> float:
        return rates(self._scheduler.optimizer)[0]

    def step(self) -> None:
        """Do nothing: the rate changes between epochs alone."""

    def end_epoch(self, score: float) -> None:
        self._scheduler.step(score)

    def state_dict(self) -> dict[str, Any]:
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scheduler.load_state_dict(state)


def rates(optimizer: "Optimizer") -> list[float]:
    """Return the learning rate of each parameter group."""
    return [float(group["lr"]) for group in optimizer.param_groups]


class Constant(Options):
    """Constant learning rate."""

    name: Literal["constant"] = "constant"

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> LearningRate:
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from audiocls.optim.scaled_rate import ScaledRate

        return ScaledRate(optimizer, lambda step: 1.0)


class Cosine(Options):
    """Linear warm-up, then a half cosine down to zero (Loshchilov and Hutter, 2017).

    The rate is low only near the last epoch: not with `train.patience`, which may stop before it.
    """

    name: Literal["cosine"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0.0)
    """Epochs, or a fraction of one, from near 0 up to `optim.lr`."""
    from_zero: bool = added(False)
    """Begin the warm-up at a rate of 0, as optax does: the first step then changes no weight."""

    @model_validator(mode="after")
    def _zero_needs_a_warmup(self) -> "Cosine":
        if self.from_zero and self.warmup_epochs == 0:
            raise ValueError("from_zero: got true, allowed: only with warmup_epochs above 0")
        return self

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> LearningRate:
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        warmup = round(self.warmup_epochs * epoch_steps)
        return _warmup_cosine(optimizer, warmup, num_epochs * epoch_steps, self.from_zero)


class Exponential(Options):
    """Constant, then exponential decay to `decay` of the peak at the last step.

    The rate is low only near the last epoch: not with `train.patience`, which may stop before it.
    """

    name: Literal["exponential"] = "exponential"
    decay: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Share of the peak rate that is left at the end."""
    hold_epochs: float = Field(default=0.0, ge=0.0)
    """Epochs, or a fraction of one, at the peak rate before the decay."""
    lowest_lr: float = Field(default=1e-7, ge=0.0)
    """The rate is never below it."""

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> LearningRate:
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from audiocls.optim.scaled_rate import ScaledRate

        held = round(self.hold_epochs * epoch_steps) + 1  # the first step, in any case
        decaying = max(1, num_epochs * epoch_steps - held + 1)
        lowest = min(1.0, self.lowest_lr / max(rates(optimizer)))

        def factor(step: int) -> float:
            return float(max(lowest, self.decay ** (max(0, step - held) / decaying)))

        return ScaledRate(optimizer, factor)


class OneCycle(Options):
    """One cycle: up to `optim.lr` and down again (Smith and Topin, 2018).

    The rate is low only near the last epoch: not with `train.patience`, which may stop before it.
    """

    name: Literal["onecycle"] = "onecycle"
    pct_start: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Share of the steps on the way up, in (0, 1), despite torch's name no percentage."""
    cycle_momentum: tuple[Momentum, Momentum] | None = added(None)
    """Lowest and highest momentum (Adam's first beta): it falls as the rate rises, and rises as
    the rate falls. None leaves the optimiser's own; torch's default is 0.85 to 0.95."""

    @model_validator(mode="after")
    def _momentum_rises(self) -> "OneCycle":
        if self.cycle_momentum is not None and self.cycle_momentum[0] > self.cycle_momentum[1]:
            got = ", ".join(map(str, self.cycle_momentum))
            raise ValueError(f"cycle_momentum: got {got}, allowed: the lower one first")
        return self

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> LearningRate:
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        num_steps = num_epochs * epoch_steps
        return _one_cycle(optimizer, self.pct_start, num_steps, self.cycle_momentum)


class Step(Options):
    """Step decay: multiply the learning rate by `gamma` every `every_epochs` epochs."""

    name: Literal["step"] = "step"
    every_epochs: int = Field(default=10, ge=1)
    """Epochs from one decay to the next."""
    gamma: float = Field(default=0.1, gt=0.0, le=1.0)
    """Factor of each decay."""

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> LearningRate:
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        from torch.optim.lr_scheduler import StepLR

        return PerStep(StepLR(optimizer, self.every_epochs * epoch_steps, self.gamma))


class Plateau(Options):
    """Multiply the learning rate by `factor` when the selection metric has stopped improving.

    Not for few validation clips, whose noise looks like a plateau.
    """

    name: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Factor of each decay."""
    patience: int = Field(default=10, ge=0)
    """Epochs in a row without a new best that are tolerated; the next one lowers the rate."""

    def build(self, optimizer: "Optimizer", num_epochs: int, epoch_steps: int) -> LearningRate:
        """Return the schedule over `num_epochs` epochs of `epoch_steps` optimiser steps each."""
        return OnPlateau(optimizer, self.factor, self.patience)


def _warmup_cosine(
    optimizer: "Optimizer", num_warmup: int, num_steps: int, is_from_zero: bool = False
) -> LearningRate:
    """Scale linearly from 1/`num_warmup` to 1, then by half a cosine to 0 at `num_steps`.

    If `is_from_zero`, the first step is at 0 and the last one of the warm-up below 1. Both counts
    are optimiser steps. After `num_steps` the rate stays 0.
    """
    from audiocls.optim.scaled_rate import ScaledRate

    def factor(step: int) -> float:
        if step < num_warmup:
            # step + 1: the first step would be lost at a rate of 0.
            return (step + (not is_from_zero)) / num_warmup
        progress = (step - num_warmup) / max(1, num_steps - num_warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    return ScaledRate(optimizer, factor)


def _one_cycle(
    optimizer: "Optimizer",
    pct_start: float,
    num_steps: int,
    momentum: tuple[float, float] | None = None,
) -> LearningRate:
    """Return torch's OneCycleLR with the optimiser's own rate as its maximum.

    Stepping beyond `num_steps` raises `ValueError`.

    Args:
        pct_start: share of the steps on the way up, in (0, 1).
        num_steps: optimiser steps of the whole training.
        momentum: its lowest and highest value; none leaves it as it is.
    """
    from torch.optim.lr_scheduler import OneCycleLR

    if pct_start * num_steps == 1:  # the peak is the first step, where torch divides 0 by 0
        pct_start = math.nextafter(pct_start, 0)
    peaks = rates(optimizer)
    low, high = momentum or (0.85, 0.95)
    cycle = OneCycleLR(
        optimizer,
        peaks,
        num_steps,
        pct_start=pct_start,
        cycle_momentum=momentum is not None,
        base_momentum=low,
        max_momentum=high,
    )
    return PerStep(cycle)
