"""Learning-rate schedules: stepped after every optimiser step, some by each epoch's score."""

import math
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau, StepLR


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

    def __init__(self, scheduler: LRScheduler):
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

    def __init__(self, optimizer: Optimizer, factor: float, patience: int):
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


def rates(optimizer: Optimizer) -> list[float]:
    """Return the learning rate of each parameter group."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def constant(optimizer: Optimizer) -> LearningRate:
    """Return a schedule that leaves the rates at their configured values."""
    return PerStep(LambdaLR(optimizer, lambda step: 1.0))


def warmup_cosine(optimizer: Optimizer, num_warmup: int, num_steps: int) -> LearningRate:
    """Scale linearly from 1/`num_warmup` to 1, then by half a cosine to 0 at `num_steps`.

    Both counts are optimiser steps. After `num_steps` the rate stays 0.
    """

    def factor(step: int) -> float:
        if step < num_warmup:
            # step + 1: the first step would be lost at a rate of 0.
            return (step + 1) / num_warmup
        progress = (step - num_warmup) / max(1, num_steps - num_warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    return PerStep(LambdaLR(optimizer, factor))


def one_cycle(optimizer: Optimizer, pct_start: float, num_steps: int) -> LearningRate:
    """Return torch's OneCycleLR with the optimiser's own rate as its maximum.

    Momentum is not cycled. Stepping beyond `num_steps` raises `ValueError`.

    Args:
        pct_start: share of the steps on the way up, in (0, 1).
        num_steps: optimiser steps of the whole training.
    """
    if pct_start * num_steps == 1:  # the peak is the first step, where torch divides 0 by 0
        pct_start = math.nextafter(pct_start, 0)
    peaks = rates(optimizer)
    cycle = OneCycleLR(optimizer, peaks, num_steps, pct_start=pct_start, cycle_momentum=False)
    return PerStep(cycle)


def step(optimizer: Optimizer, every: int, gamma: float) -> LearningRate:
    """Multiply by `gamma`, in (0, 1], after every `every` optimiser steps."""
    return PerStep(StepLR(optimizer, every, gamma))
