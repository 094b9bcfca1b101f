"""Learning-rate schedules: told of every optimiser step and of every epoch's score."""

import math
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau, StepLR


class LearningRate(Protocol):
    """Sets the rates of one optimiser's groups; rates and state survive a restart exactly."""

    @property
    def lr(self) -> float:
        """The rate of the coming step, of the optimiser's first group."""

    def step(self) -> None:
        """After every optimiser step."""

    def end_epoch(self, score: float) -> None:
        """After every epoch; a greater `score` is better."""

    def state_dict(self) -> dict[str, Any]:
        """All but the optimiser, which saves its own rates."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; the optimiser's state is loaded beside it."""


class PerStep:
    """One of torch's schedulers, stepped once after every optimiser step; epochs are no matter."""

    def __init__(self, scheduler: LRScheduler):
        self._scheduler = scheduler

    @property
    def lr(self) -> float:
        return rates(self._scheduler.optimizer)[0]

    def step(self) -> None:
        self._scheduler.step()

    def end_epoch(self, score: float) -> None:
        """Nothing to do."""

    def state_dict(self) -> dict[str, Any]:
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scheduler.load_state_dict(state)


class OnPlateau:
    """Times `factor` once more than `patience` epochs in a row have brought no better score.

    Any gain counts, however small: torch's own threshold is relative, and would call a slightly
    worse score better where scores are negative (a loss with its sign turned).
    """

    def __init__(self, optimizer: Optimizer, factor: float, patience: int):
        self._scheduler = ReduceLROnPlateau(
            optimizer, "max", factor, patience, threshold=0.0, threshold_mode="abs"
        )

    @property
    def lr(self) -> float:
        return rates(self._scheduler.optimizer)[0]

    def step(self) -> None:
        """Nothing to do."""

    def end_epoch(self, score: float) -> None:
        self._scheduler.step(score)

    def state_dict(self) -> dict[str, Any]:
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scheduler.load_state_dict(state)


def rates(optimizer: Optimizer) -> list[float]:
    """What each group's next step is scaled by."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def constant(optimizer: Optimizer) -> LearningRate:
    """A factor of 1 for ever."""
    return PerStep(LambdaLR(optimizer, lambda step: 1.0))


def warmup_cosine(optimizer: Optimizer, num_warmup: int, num_steps: int) -> LearningRate:
    """Linear from 1/`num_warmup` to 1, then half a cosine to 0 at `num_steps`."""

    def factor(step: int) -> float:
        if step < num_warmup:
            return (step + 1) / num_warmup
        progress = (step - num_warmup) / max(1, num_steps - num_warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    return PerStep(LambdaLR(optimizer, factor))


def one_cycle(optimizer: Optimizer, pct_start: float, num_steps: int) -> LearningRate:
    """Torch's OneCycleLR with the optimiser's own rate at the top; momentum is left alone."""
    if pct_start * num_steps == 1:  # the peak is the first step, where torch divides 0 by 0
        pct_start = math.nextafter(pct_start, 0)
    peaks = rates(optimizer)
    cycle = OneCycleLR(optimizer, peaks, num_steps, pct_start=pct_start, cycle_momentum=False)
    return PerStep(cycle)


def step(optimizer: Optimizer, every: int, gamma: float) -> LearningRate:
    """A factor of `gamma` every `every` steps."""
    return PerStep(StepLR(optimizer, every, gamma))
