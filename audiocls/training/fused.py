"""Several trials of one shape, trained as one network with one more axis.

The same mathematics as alone: each trial has its own weights, order of clips, masks, dropout
noise, rates and schedule. But sums are made in another order, so that its numbers agree to rounding
and not to the bit: a record says which way it was trained, and both sides of a pair have to be
alike in it.
After HFTA (Wang et al., MLSys 2021) by `torch.func`.

Legend: K trials, P trainable weights of one, B batch.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.optim import Optimizer

from audiocls.audio.batches import Batch
from audiocls.audio.dataset import on_device
from audiocls.optim.stacked import stacked_update
from audiocls.training.branches import Branch, Branches
from audiocls.training.drawn_dropout import Call, Noise, draw_outside, rates_of
from audiocls.training.graphed import Captures
from audiocls.training.packed_weights import PackedWeights
from audiocls.training.state import TrainingState
from audiocls.training.step import StepResult, Tensors, batch_loss, tensors_of, with_tensors


class _Loss(nn.Module):
    """The loss of one trial's batch as a module, so that `functional_call` can give it weights."""

    def __init__(self, state: TrainingState):
        super().__init__()
        self.classifier = copy.deepcopy(state.classifier).train()
        self._objective, self._config = state.objective, state.config

    def forward(self, tensors: Tensors, batch: Batch) -> Tensor:
        """Return the mean loss per clip of `batch` with these tensors in it. Shape: → ()"""
        on_device_batch = with_tensors(batch, tensors)
        return batch_loss(self.classifier, self._objective, self._config, on_device_batch)


class FusedStep:
    """One update of each of K trials by one forward and backward pass.

    During an epoch the trials' own weights and buffers are rows of what is trained here, so that
    averages of weights follow them as ever.

    Args:
        states: trials with no `packing.obstacle`, of one `packing.shape_key`.
        open_on: makes what captures the update as a graph; by default it is none.
    """

    def __init__(
        self,
        states: Sequence[TrainingState],
        open_on: Callable[[int, torch.device], Branches] | None = None,
    ):
        self._states, device = states, states[0].device
        self.execution = "fused" if open_on is None else "fused graph"
        self._prepare_dropout()
        self._weights = PackedWeights(states)
        optimizers = [state.optimizer for state in states]
        counts = [_num_steps(optimizer) for optimizer in optimizers]
        flat = self._weights.flat
        self._update = stacked_update(optimizers[0], flat, self._weights.decay, counts)
        for moment, name in zip(self._update.moments, self._update.names, strict=True):
            self._weights.load_moment(moment, name)
        self._rho = self._column([state.config.sam.rho for state in states])
        self._most = self._column([s.config.train.clip_norm or float("inf") for s in states])
        self._options = torch.stack([self._rho] * len(self._read(optimizers[0])))
        """(n, K, 1): what differs from step to step."""
        self._step_results = flat.new_zeros(len(states), 2)
        """(K, 2): loss and gradient norm of the last step."""
        branches = open_on(1, device) if open_on else None
        self._captures = Captures(branches, self._branches_of) if branches else None

    def _prepare_dropout(self) -> None:
        self._noise, self._loss = Noise(), _Loss(self._states[0])
        self._rates = [rates_of(state.classifier) for state in self._states]
        dropped = [name for name in self._rates[0] if any(rates[name] for rates in self._rates)]
        draw_outside(self._loss.classifier, self._noise, dropped)
        self._calls: dict[tuple[int, ...], list[Call]] = {}
        self._generators = [_generator(state.device) for state in self._states]

    def _read(self, optimizer: Optimizer) -> tuple[float, ...]:
        return self._update.options_of(optimizer.param_groups[0])

    def _branches_of(self, static: list[list[Batch]]) -> list[Branch]:
        # Nothing may draw from the first one: each draw here names its generator.
        generators = [_generator(self._step_results.device), *self._generators]
        return [Branch(partial(self._compute, static), generators)]

    @contextmanager
    def epoch(self, epochs: Sequence[int]) -> Iterator[None]:
        """Stack the trials' tensors meanwhile; send an epoch's rates, and seed its dropout."""
        self._weights.bind()
        for state, epoch, generator in zip(self._states, epochs, self._generators, strict=True):
            generator.manual_seed(state.seed("dropout", epoch))
        # (K, S, n) on the host, (S, n, K, 1) on the device.
        ahead = np.array([state.ahead(self._read) for state in self._states])
        arranged = ahead.transpose(1, 2, 0)[..., None].copy()
        self._ahead = on_device(arranged, self._step_results.device).to(self._step_results.dtype)
        self._num_done = 0
        try:
            yield
        finally:
            self._weights.store(self._update, num_done=self._num_done)

    @torch.no_grad()
    def __call__(self, groups: Sequence[list[Batch]], is_measured: bool = True) -> list[StepResult]:
        """Update each trial once by its own group of batches, alike in shape."""
        self._options.copy_(self._ahead[self._num_done])
        if self._captures is None:
            self._compute(groups)
        else:
            self._captures.compute(groups)
        self._num_done += 1
        for state in self._states:
            state.averaging.after_step()
        # Two calls for all trials: a tensor that is iterated makes several for each row.
        losses, norms = self._step_results.t().clone().unbind()
        return [StepResult(*each) for each in zip(losses.unbind(), norms.unbind(), strict=True)]

    @torch.no_grad()
    def _compute(self, groups: Sequence[list[Batch]]) -> None:
        """Update the stacked weights: what a graph holds."""
        weights = self._weights.flat
        losses, gradients = self._gradient(groups)
        if self._states[0].config.sam.rho > 0:
            before = weights.clone()
            weights.add_(self._perturbation(gradients, self._rho))
            # BatchNorm hears every batch twice, and counts it once.
            kept = {name: value.clone() for name, value in self._weights.buffers.items()}
            _, gradients = self._gradient(groups)
            for name, value in kept.items():
                self._weights.buffers[name].copy_(value)
            weights.copy_(before)
        norms = torch.linalg.vector_norm(gradients, dim=1)
        gradients = gradients * (self._most / (norms.unsqueeze(1) + 1e-6)).clamp(max=1.0)
        self._update.step(weights, gradients, self._options)
        self._step_results.copy_(torch.stack([losses, norms], dim=1))

    def _column(self, numbers: Sequence[float]) -> Tensor:
        """Return one number a trial as a column. Shape: → (K, 1)"""
        column = on_device(np.array(numbers)[:, None], self._weights.flat.device)
        return column.to(self._weights.flat.dtype)

    def _perturbation(self, gradients: Tensor, rho: Tensor) -> Tensor:
        """Return where SAM computes its second gradient. Shape: (K, P), rho (K, 1) → (K, P)"""
        options = self._states[0].config.sam
        scale = self._weights.flat.abs() + options.eta if options.adaptive else 1.0
        scaled = gradients * scale
        norm = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
        return torch.where(norm > 0, rho / norm, 0.0) * scaled * scale

    def _gradient(self, groups: Sequence[list[Batch]]) -> tuple[Tensor, Tensor]:
        """Return each trial's mean loss per clip, and gradient. Shape: → (K,), (K, P)"""
        num_clips = sum(len(batch.targets) for batch in groups[0])
        is_summed = self._states[0].config.train.reduction == "sum"
        losses, gradients = [], []
        for batches in zip(*groups, strict=True):
            loss, gradient = self._gradient_of(batches)
            weight = len(batches[0].targets) / num_clips
            losses.append(loss * weight)
            gradients.append(gradient * (weight * num_clips if is_summed else weight))
        return torch.stack(losses).sum(0), torch.stack(gradients).sum(0)

    def _gradient_of(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
        """Return loss and gradient of one batch of each trial. Shape: → (K,), (K, P)"""
        per_trial = [tensors_of(batch) for batch in batches]
        tensors = {name: torch.stack([each[name] for each in per_trial]) for name in per_trial[0]}

        def loss(
            trained: Tensors, others: Tensors, tensors: Tensors, noise: list[Tensor]
        ) -> Tensor:
            self._noise.given, self._noise.position = noise, 0
            return functional_call(self._loss, trained | others, (tensors, batches[0]))  # type: ignore[no-any-return]

        noise = self._drawn(per_trial[0], batches[0])
        with torch.enable_grad():
            gradients, losses = vmap(grad_and_value(loss))(
                self._weights.trained(), self._weights.buffers, tensors, noise
            )
        return losses, self._weights.flattened(gradients)

    def _drawn(self, tensors: Tensors, batch: Batch) -> list[Tensor]:
        """Return the noise of every dropout, in their calls' order. Shape: → (K, B, …) each"""
        shape = tuple(tensors["inputs"].shape)
        if shape not in self._calls:
            self._calls[shape] = self._recorded(tensors, batch)
        per_trial = [
            [call.drawn(rates[call.name], generator) for call in self._calls[shape]]
            for rates, generator in zip(self._rates, self._generators, strict=True)
        ]
        return [torch.stack(same) for same in zip(*per_trial, strict=True)]

    def _recorded(self, tensors: Tensors, batch: Batch) -> list[Call]:
        """Return the dropouts that one trial's network calls for such a batch."""
        calls: list[Call] = []
        self._noise.calls = calls
        first = {name: value[0] for name, value in self._weights.trained().items()}
        first |= {name: value[0].clone() for name, value in self._weights.buffers.items()}
        functional_call(self._loss, first, (tensors, batch))
        self._noise.calls = None
        return calls


def _generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device)


def _num_steps(optimizer: Optimizer) -> float:
    """Return how many steps an optimiser that counts them has done."""
    states: Any = list(optimizer.state.values())
    return float(states[0]["step"]) if states and "step" in states[0] else 0.0
