"""One optimiser step: the gradient over all batches of a group, clipped, and the update.

`fit` and `fit_pack` see the protocol `Step` alone. Its forms compute the same numbers: `EagerStep`
here, one operation after the other; `fused.FusedStep`; `graphed.GraphedStep`. The device, and
whether trials share it, decides which form they get; their configuration never does.

Legend: B batch, C channels (mel bands), L frames.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from audiocls.audio.augment.feature_mixup import mix_features
from audiocls.audio.augment.spec_augment import UNMASKED, Masks, masked
from audiocls.audio.batches import Batch
from audiocls.config import Config
from audiocls.training.classifier import Classifier
from audiocls.training.determinism import seed_generators
from audiocls.training.memory import free_memory
from audiocls.training.objective import Objective
from audiocls.training.state import TrainingState

Tensors = dict[str, Tensor]
HALF_PRECISION = {"bf16": torch.bfloat16, "fp16": torch.float16}


class StepResult(NamedTuple):
    """The loss of a step and the norm of its gradient, both of shape ()."""

    loss: Tensor
    """Mean loss per clip at the weights before the step."""
    grad_norm: Tensor | None
    """L2 norm of the gradient before clipping; none if it was not measured, or overflowed."""


class Step(Protocol):
    """Updates the weights of the trials that are trained at once."""

    @property
    def execution(self) -> str:
        """How it is computed, as recorded."""

    def epoch(self, epochs: Sequence[int]) -> AbstractContextManager[None]:
        """Return the context of an epoch's steps, its number counted from 0 for each trial."""

    def __call__(self, groups: Sequence[list[Batch]], is_measured: bool) -> list[StepResult]:
        """Update each trial once by its own group of batches.

        Args:
            is_measured: whether the gradients' norms are wanted.
        """


StepForm = Callable[[Sequence[TrainingState]], Step]
"""Makes the step of trials that are trained at once."""


class EagerStep:
    """The step of one trial, whose operations are sent to the device one by one."""

    def __init__(self, states: Sequence[TrainingState]):
        [self._state] = states

    @property
    def execution(self) -> str:
        return self._state.ranks.execution

    @contextmanager
    def epoch(self, epochs: Sequence[int]) -> Iterator[None]:
        """Seed dropout; the context has no end of its own."""
        state = self._state
        purpose = state.ranks.seed_purpose("dropout")
        seed_generators(state.seed(purpose, epochs[0]), state.device)
        state.classifier.begin_epoch(epochs[0])
        state.classifier.train()
        yield

    def __call__(self, groups: Sequence[list[Batch]], is_measured: bool) -> list[StepResult]:
        state, [group] = self._state, groups
        result = update_weights(state, group, is_measured)
        if not state.scaling.was_skipped:
            state.schedule.step()
        state.averaging.after_step()
        return [result]


def update_weights(
    state: TrainingState, group: list[Batch], is_measured: bool = False
) -> StepResult:
    """Update by the mean (or, as configured, the summed) gradient over a group's clips.

    This is what a CUDA graph can hold; schedule and averages of weights are left to the caller.
    """
    norms: list[Tensor] = []

    def clip() -> None:
        """Measure and clip the gradient, as configured."""
        most = state.config.train.clip_norm
        if most > 0 or is_measured:
            norms.append(
                _clipped_norm([p.grad for p in state.parameters if p.grad is not None], most)
            )

    loss = state.stepper.step(lambda: _gradients(state, group), clip)
    is_reported = is_measured and not state.scaling.was_skipped
    return StepResult(loss, norms[0] if is_reported else None)


def _gradients(state: TrainingState, group: list[Batch]) -> Tensor:
    """Compute the gradients, in parts once memory ran out; return the mean loss per clip.

    Shape: → ()
    """
    ranks, num_clips = state.ranks, sum(batch.num_clips for batch in group)
    shards = [ranks.shard(batch) for batch in group]
    while True:
        try:
            loss = _gradients_of(state, shards, num_clips)
            break
        except (RuntimeError, MemoryError) as error:
            state.micro_batches.split_further(error, state.classifier, shards)
        free_memory()
    ranks.all_reduce_gradients(state.parameters)
    return ranks.all_reduce(loss)


def _gradients_of(state: TrainingState, group: list[Batch], num_clips: int) -> Tensor:
    """Compute the gradients batch by batch; return the sum of losses over `num_clips`.

    Shape: → ()
    """
    for parameter in state.parameters:  # `zero_grad` does the same in four times the time
        parameter.grad = None
    is_summed = state.config.train.reduction == "sum"
    losses = []
    for batch in state.micro_batches.of(group):
        loss = batch_loss(state.classifier, state.objective, state.config, batch)
        if batch.num_clips < num_clips:  # the batches of a group may differ in size
            loss = loss * (batch.num_clips / num_clips)
        state.scaling.backward(loss * num_clips if is_summed else loss)
        losses.append(loss.detach())
    total: Tensor = functools.reduce(torch.add, losses)
    return total


def _clipped_norm(gradients: list[Tensor], most: float) -> Tensor:
    """Return the norm of all gradients together; scale them to `most` where it is larger, unless 0.

    Shape: gradients of any shapes → ()
    """
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if most > 0:
        # 1e-6 as in `torch.nn.utils.clip_grad_norm_`: a gradient of 0 stays 0.
        torch._foreach_mul_(gradients, (most / (norm + 1e-6)).clamp(max=1.0))
    return norm


def tensors_of(batch: Batch) -> Tensors:
    """Return the tensors of a batch that its loss depends on, by name."""
    tensors = {
        "inputs": batch.inputs,
        "targets": batch.targets,
        "bands": batch.masks.bands,
        "frames": batch.masks.frames,
        "gains": batch.masks.gains,
        "codes": batch.codes,
        "waveforms": batch.waveforms,
    }
    return {name: value for name, value in tensors.items() if value is not None}


def with_tensors(batch: Batch, tensors: Tensors) -> Batch:
    """Return a batch with the tensors that `tensors_of` gives for another of the same kind."""
    return replace(
        batch,
        inputs=tensors["inputs"],
        targets=tensors["targets"],
        masks=Masks(tensors.get("bands"), tensors.get("frames"), tensors.get("gains")),
        codes=tensors.get("codes"),
        waveforms=tensors.get("waveforms"),
    )


def batch_loss(
    classifier: Classifier, objective: Objective, config: Config, batch: Batch
) -> Tensor:
    """Return the mean loss per clip of a batch, with masked features. Shape: → ()"""
    inputs = batch.inputs
    features = inputs if batch.is_standardised else classifier.features(inputs)
    if batch.masks is not UNMASKED:
        features = masked(features, batch.masks, _masked_value(classifier, config, inputs.device))
    if batch.feature_mix is not None:
        features, targets = mix_features(features, batch.targets, batch.feature_mix)
        batch = replace(batch, targets=targets)
    half = HALF_PRECISION.get(config.train.precision)
    with torch.autocast(inputs.device.type, half) if half else nullcontext():
        return objective.loss(classifier, features, batch)


def _masked_value(classifier: Classifier, config: Config, device: torch.device) -> Tensor | None:
    """Return the standardised features of silence where masks write these, or else none.

    Shape: → (1, C, 1)
    """
    if config.augment.masked == "mean":
        return None
    features = config.features
    assert features.name == "logmel", "Config refuses others"
    silence = torch.full((1, config.in_shape[0], 1), math.log(features.offset), device=device)
    return torch.as_tensor(classifier.standardise(silence))
