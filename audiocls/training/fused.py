"""Several trials of one shape, trained as one network with one more axis.

The same mathematics as alone: each trial has its own weights, order of clips, masks, dropout
noise, rates and schedule. But sums are made in another order, so that its numbers agree to rounding
and not to the bit: a record says which way it was trained, and both sides of a pair have to be
alike in it.
After HFTA (Wang et al., MLSys 2021) by `torch.func`.

Legend: K trials, P trainable weights of one, B batch.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.optim import Optimizer

from audiocls.audio.augment.spec_augment import Masks
from audiocls.audio.batches import Batch
from audiocls.audio.dataset import placed
from audiocls.optim.stacked import stacked_update
from audiocls.training.drawn_dropout import Call, Noise, draw_outside, rates_of
from audiocls.training.packed_weights import PackedWeights
from audiocls.training.state import TrainingState
from audiocls.training.step import StepResult, batch_loss

Tensors = dict[str, Tensor]


class _Loss(nn.Module):
    """The loss of one trial's batch as a module, so that `functional_call` can give it weights."""

    def __init__(self, state: TrainingState):
        super().__init__()
        self.classifier = copy.deepcopy(state.classifier).train()
        self._objective, self._config = state.objective, state.config

    def forward(self, tensors: Tensors, batch: Batch) -> Tensor:
        """Return the mean loss per clip of `batch` with these tensors in it. Shape: → ()"""
        masks = Masks(tensors.get("bands"), tensors.get("frames"))
        inputs, targets, codes = tensors["inputs"], tensors["targets"], tensors.get("codes")
        heard = replace(batch, inputs=inputs, targets=targets, codes=codes, masks=masks)
        return batch_loss(self.classifier, self._objective, self._config, heard)


class FusedStep:
    """One update of each of K trials by one forward and backward pass.

    Use it as a context for one epoch: meanwhile the trials' own weights and buffers are rows of
    what is trained here, so that averages of weights follow them as ever.
    """

    def __init__(self, states: Sequence[TrainingState]):
        self._states = states
        self._noise = Noise()
        self._loss = _Loss(states[0])
        self._rates = [rates_of(state.classifier) for state in states]
        dropped = [name for name in self._rates[0] if any(rates[name] for rates in self._rates)]
        draw_outside(self._loss.classifier, self._noise, dropped)
        self._calls: dict[tuple[int, ...], list[Call]] = {}

    def __enter__(self) -> "FusedStep":
        self._weights = PackedWeights(self._states)
        self._generators = [_generator(state.device) for state in self._states]
        optimizers = [state.optimizer for state in self._states]
        flat = self._weights.flat
        steps = [_num_steps(optimizer) for optimizer in optimizers]
        self._update = stacked_update(optimizers[0], flat, self._weights.decay, steps)
        for moment, name in zip(self._update.moments, self._update.names, strict=True):
            self._weights.load_moment(moment, name)
        return self

    def __exit__(self, *_: object) -> None:
        self._weights.store(self._update, num_done=self._num_done)

    def begin(self, epochs: Sequence[int]) -> None:
        """Seed each trial's dropout for its epoch, counted from 0."""
        self._num_done = 0
        for state, epoch, generator in zip(self._states, epochs, self._generators, strict=True):
            generator.manual_seed(state.seed("dropout", epoch))

    @torch.no_grad()
    def __call__(self, groups: Sequence[list[Batch]]) -> list[StepResult]:
        """Update each trial once by its own group of batches, alike in shape."""
        weights, sam = self._weights.flat, self._column([s.config.sam.rho for s in self._states])
        losses, gradients = self._gradient(groups)
        if self._states[0].config.sam.rho > 0:
            before = weights.clone()
            weights.add_(self._perturbation(gradients, sam))
            # BatchNorm hears every batch twice, and counts it once.
            kept = {name: value.clone() for name, value in self._weights.buffers.items()}
            _, gradients = self._gradient(groups)
            for name, value in kept.items():
                self._weights.buffers[name].copy_(value)
            weights.copy_(before)
        norms = torch.linalg.vector_norm(gradients, dim=1)
        most = self._column([s.config.train.clip_norm or float("inf") for s in self._states])
        gradients = gradients * (most / (norms.unsqueeze(1) + 1e-6)).clamp(max=1.0)
        options = [state.optimizer.param_groups[0] for state in self._states]
        self._update.step(weights, gradients, options, self._column)
        self._num_done += 1
        for state in self._states:
            state.optimizer._opt_called = True  # type: ignore[attr-defined]  # or its schedule warns
            state.schedule.step()
            state.averaging.after_step()
        return [StepResult(*pair) for pair in zip(losses, norms, strict=True)]

    def _column(self, numbers: Sequence[float]) -> Tensor:
        """Return one number a trial as a column. Shape: → (K, 1)"""
        column = placed(np.array(numbers)[:, None], self._weights.flat.device)
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
        per_trial = [_tensors_of(batch) for batch in batches]
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


def _tensors_of(batch: Batch) -> Tensors:
    """Return what of a batch differs from trial to trial."""
    tensors = {
        "inputs": batch.inputs,
        "targets": batch.targets,
        "bands": batch.masks.bands,
        "frames": batch.masks.frames,
        "codes": batch.codes,
    }
    return {name: value for name, value in tensors.items() if value is not None}


def _generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device)


def _num_steps(optimizer: Optimizer) -> float:
    """Return how many steps an optimiser that counts them has done."""
    states: Any = list(optimizer.state.values())
    return float(states[0]["step"]) if states and "step" in states[0] else 0.0
