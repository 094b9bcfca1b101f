"""SWA's own learning rate: it takes over from any schedule when averaging begins."""

import math
from typing import Any

from torch.optim import Optimizer

from audiocls.optim.schedules import LearningRate, rates


class SwaRate:
    """`before` for `num_before` steps; then half a cosine from its last rate to `lr`, which stays.

    A high constant rate keeps the weights moving around the optimum, which is what makes their
    average better than each of them (Izmailov et al., 2018, section 3.1). `before` is no longer
    stepped from then on.

    Args:
        before: the schedule until averaging begins.
        optimizer: whose groups all go to the same `lr`, but for those of a scale of their own.
        num_before: optimiser steps before averaging begins.
        num_anneal: optimiser steps of the half cosine; 0 jumps to `lr`.
        lr: the rate while averaging, above 0. Near 0 the averaged weights would all be alike.
    """

    def __init__(
        self,
        before: LearningRate,
        optimizer: Optimizer,
        num_before: int,
        num_anneal: int,
        lr: float,
    ):
        self._before = before
        self._optimizer = optimizer
        self._num_before = num_before
        self._num_anneal = num_anneal
        self._end = lr
        self._num_steps = 0
        self._starts = rates(optimizer)
        self._set()

    @property
    def lr(self) -> float:
        return rates(self._optimizer)[0]

    def step(self) -> None:
        self._num_steps += 1
        if self._num_steps < self._num_before:
            self._before.step()
            self._starts = rates(self._optimizer)
        self._set()

    def end_epoch(self, score: float) -> None:
        if self._num_steps < self._num_before:
            self._before.end_epoch(score)
            self._starts = rates(self._optimizer)

    def state_dict(self) -> dict[str, Any]:
        return {
            "before": self._before.state_dict(),
            "num_steps": self._num_steps,
            "starts": list(self._starts),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._before.load_state_dict(state["before"])
        self._num_steps = state["num_steps"]
        self._starts = list(state["starts"])

    def _set(self) -> None:
        """Set the rates of the next step, unless they are still those of `before`."""
        done = self._num_steps - self._num_before
        if done < 0:
            return
        progress = min(1.0, done / self._num_anneal) if self._num_anneal else 1.0
        share = 0.5 * (1 - math.cos(math.pi * progress))
        for group, start in zip(self._optimizer.param_groups, self._starts, strict=True):
            end = self._end * group.get("lr_scale", 1.0)
            group["lr"] = (1 - share) * start + share * end
