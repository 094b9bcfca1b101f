"""The steps of one or more trials as one graph of operations, which the host starts at once.

Sending each operation takes the host longer than a small network's take on a GPU. So the first step
on batches of a shape is computed as ever, the second is captured, and then replayed: forward and
backward pass, both of SAM, clipping and update, of each trial on a branch of its own. Branches are
those of each trial alone, operation by operation, so that how many there are changes no bit (to be
expected of CUDA, and not yet seen on a device).

In a graph, numbers of the host are constants. So learning rates are tensors on the device, those of
an epoch are sent there before it, and batches are copied to where the graph reads them. Reading
clips, augmentation and averages of weights are outside.

Legend: K trials, G parameter groups, S steps of an epoch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from audiocls.audio.batches import Batch
from audiocls.audio.dataset import on_device
from audiocls.optim.schedules import rates
from audiocls.training.branches import Branch, Branches, open_branches
from audiocls.training.state import TrainingState
from audiocls.training.step import StepResult, tensors_of, update_weights, with_tensors

Key = tuple[object, ...]
"""What a graph depends on but for the numbers in its tensors."""


@dataclass
class _Captured:
    """The static batches of one shape, what computes a step from them, and how often it ran."""

    groups: list[list[Batch]]
    branches: list[Branch]
    replay: Callable[[], None] | None = None
    was_computed: bool = False

    def load(self, groups: Sequence[list[Batch]]) -> None:
        """Copy batches to where the graph reads them."""
        static, given = _all_tensors(self.groups), _all_tensors(groups)
        for into, tensor in zip(static, given, strict=True):
            into.copy_(tensor, non_blocking=True)


class Captures:
    """Graphs of a step, one for each shape of its batches.

    Args:
        branches: what captures them.
        branches_of: what computes a step from batches that stay in their place, branch by branch.
    """

    def __init__(
        self, branches: Branches, branches_of: Callable[[list[list[Batch]]], list[Branch]]
    ):
        self._branches, self._branches_of = branches, branches_of
        self._captured: dict[Key, _Captured] = {}

    def compute(self, groups: Sequence[list[Batch]], further: Key = ()) -> None:
        """Compute a step: the first of its shape as it is, all others from the graph of the second.

        Args:
            further: what else a graph depends on.
        """
        key = (*further, *_key_of(groups))
        if key not in self._captured:
            static = [[_empty_like(batch) for batch in group] for group in groups]
            self._captured[key] = _Captured(static, self._branches_of(static))
        captured = self._captured[key]
        captured.load(groups)
        if not captured.was_computed:
            self._branches.run(captured.branches)
            captured.was_computed = True
            return
        if captured.replay is None:
            captured.replay = self._branches.capture(captured.branches)
        captured.replay()


class GraphedStep:
    """One update of each of K trials by the replay of a graph.

    Args:
        states: trials with no `packing.graph_obstacle`, of one `packing.shape_key`.
        open_on: makes what captures K branches on a device.
    """

    execution = "graph"

    def __init__(
        self,
        states: Sequence[TrainingState],
        open_on: Callable[[int, torch.device], Branches] = open_branches,
    ):
        self._states, device = states, states[0].device
        branches = open_on(len(states), device)
        self._captures = Captures(branches, self._branches_of)
        self._generators = [torch.Generator(device) for _ in states]
        weight = states[0].parameters[0]
        num_groups = len(states[0].optimizer.param_groups)
        dtype = branches.rate_dtype
        self._lr = torch.zeros(len(states), num_groups, dtype=dtype, device=device)
        self._step_results = torch.zeros(len(states), 2, dtype=weight.dtype, device=device)
        """(K, 2): loss and gradient norm of the last step."""

    @contextmanager
    def epoch(self, epochs: Sequence[int]) -> Iterator[None]:
        """Seed each trial's dropout for its epoch, and send its learning rates to the device."""
        for state, epoch, generator in zip(self._states, epochs, self._generators, strict=True):
            generator.manual_seed(state.seed("dropout", epoch))
            state.classifier.train()
        # (K, S, G) on the host, (S, K, G) on the device.
        ahead = np.array([state.ahead(rates) for state in self._states]).swapaxes(0, 1)
        self._rates = on_device(ahead.copy(), self._lr.device).to(self._lr.dtype)
        self._results = self._step_results.new_zeros(len(ahead), *self._step_results.shape)
        self._number = 0
        yield

    @torch.no_grad()
    def __call__(self, groups: Sequence[list[Batch]], is_measured: bool = True) -> list[StepResult]:
        """Update each trial once by its own group of batches, alike in shape."""
        self._lr.copy_(self._rates[self._number])
        self._captures.compute(groups, tuple(each.micro_batches.count for each in self._states))
        results = self._results[self._number].copy_(self._step_results)
        self._number += 1
        for state in self._states:
            state.averaging.after_step()
        return [StepResult(loss, norm) for loss, norm in results]

    def _branches_of(self, static: list[list[Batch]]) -> list[Branch]:
        return [
            Branch(partial(self._update, k, group), [self._generators[k]])
            for k, group in enumerate(static)
        ]

    @torch.enable_grad()
    def _update(self, k: int, group: list[Batch]) -> None:
        """Update one trial by a group of batches, at the rates in `_lr`."""
        state = self._states[k]
        with rates_on_device(state.optimizer, self._lr[k]):
            loss, norm = update_weights(state, group, is_measured=True)
        assert norm is not None, "only fp16 leaves steps out, and it is no graph"
        with torch.no_grad():
            self._step_results[k].copy_(torch.stack([loss, norm]))


@contextmanager
def rates_on_device(optimizer: Optimizer, lr: Tensor) -> Iterator[None]:
    """Let an optimiser read its rates from the device meanwhile, as a graph of it has to.

    Shape: lr (G,)
    """
    groups = optimizer.param_groups
    before = [{name: group.get(name) for name in ("lr", "capturable")} for group in groups]
    for group, rate in zip(groups, lr, strict=True):
        group["lr"] = rate
        if "capturable" in group:
            group["capturable"] = _is_capturing(lr.device)
    try:
        yield
    finally:
        for group, kept in zip(groups, before, strict=True):
            group.update({name: value for name, value in kept.items() if name in group})


def _key_of(groups: Sequence[list[Batch]]) -> Key:
    batches = [batch for group in groups for batch in group]
    kinds = [(batch.is_mixed, batch.is_standardised) for batch in batches]
    return *map(len, groups), *kinds, *(tuple(each.shape) for each in _all_tensors(groups))


def _is_capturing(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def _all_tensors(groups: Sequence[list[Batch]]) -> list[Tensor]:
    batches = (batch for group in groups for batch in group)
    return [tensor for batch in batches for tensor in tensors_of(batch).values()]


def _empty_like(batch: Batch) -> Batch:
    tensors = tensors_of(batch)
    return with_tensors(batch, {name: torch.empty_like(each) for name, each in tensors.items()})
