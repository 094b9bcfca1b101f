"""Learning-rate schedules in optimiser steps; each is stepped once after every batch."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, StepLR


def constant(optimizer: Optimizer) -> LRScheduler:
    """A factor of 1 for ever."""
    return LambdaLR(optimizer, lambda step: 1.0)


def warmup_cosine(optimizer: Optimizer, num_warmup: int, num_steps: int) -> LRScheduler:
    """Linear from 1/`num_warmup` to 1, then half a cosine to 0 at `num_steps`."""

    def factor(step: int) -> float:
        if step < num_warmup:
            return (step + 1) / num_warmup
        progress = (step - num_warmup) / max(1, num_steps - num_warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    return LambdaLR(optimizer, factor)


def one_cycle(optimizer: Optimizer, pct_start: float, num_steps: int) -> LRScheduler:
    """Torch's OneCycleLR with the optimiser's own rate at the top; momentum is left alone."""
    peaks = [float(group["lr"]) for group in optimizer.param_groups]
    if pct_start * num_steps == 1:  # the peak is the first step, where torch divides 0 by 0
        pct_start = math.nextafter(pct_start, 0)
    return OneCycleLR(optimizer, peaks, num_steps, pct_start=pct_start, cycle_momentum=False)


def step(optimizer: Optimizer, every: int, gamma: float) -> LRScheduler:
    """A factor of `gamma` every `every` steps."""
    return StepLR(optimizer, every, gamma)
