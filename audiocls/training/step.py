"""One optimiser step: the gradient over all batches of a group, clipped, and the update.

Legend: B batch, C channels (mel bands), L frames.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from audiocls.audio.augment.feature_mixup import mix_features
from audiocls.audio.batches import Batch, mask, soft_targets
from audiocls.training.state import TrainingState

HALF_PRECISION = {"bf16": torch.bfloat16, "fp16": torch.float16}


class StepResult(NamedTuple):
    """What a step tells of itself, both of shape ()."""

    loss: Tensor
    """Mean loss per clip at the weights before the step."""
    grad_norm: Tensor | None
    """L2 norm of the gradient before clipping; none if nobody asked, or it overflowed."""


def train_step(state: TrainingState, group: list[Batch], is_measured: bool = False) -> StepResult:
    """Update once from the mean (or, as configured, the summed) gradient over a group's clips.

    Args:
        group: one or more batches.
        is_measured: whether the gradient's norm is wanted.
    """
    num_clips = sum(len(batch.targets) for batch in group)
    norms: list[Tensor] = []

    def closure() -> Tensor:
        """Compute the gradients and return the mean loss per clip. Shape: → ()"""
        state.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=state.device)
        for batch in group:
            # Weighted by clips: the batches of a group may differ in size.
            loss = batch_loss(state, batch) * (len(batch.targets) / num_clips)
            state.scaling.backward(loss * num_clips if is_summed else loss)
            total += loss.detach()
        return total

    def clip() -> None:
        """Measure and clip the gradient, as configured."""
        most = state.config.train.clip_norm
        if most == 0 and not is_measured:
            return
        parameters = list(state.classifier.parameters())
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        norms.append(norm)
        if most > 0:
            torch.nn.utils.clip_grads_with_norm_(parameters, most, norm)

    is_summed = state.config.train.reduction == "sum"
    loss = state.stepper.step(closure, clip)
    if not state.scaling.was_skipped:
        state.schedule.step()
    state.averaging.after_step()
    is_told = is_measured and not state.scaling.was_skipped
    return StepResult(loss, norms[0] if is_told else None)


def batch_loss(state: TrainingState, batch: Batch) -> Tensor:
    """Return the mean loss per clip of a batch, with masked features. Shape: → ()"""
    features = state.classifier.features(batch.inputs)
    # Both passes of SAM have the same masks: they are drawn per clip and epoch, not per call.
    features = mask(features, state.config.augment, batch.draws, _masked_value(state))
    if alpha := state.config.augment.feature_mixup:
        shares = soft_targets(batch.targets, len(state.dataset.table.labels))
        features, targets = mix_features(features, shares, batch.draws, alpha)
        batch = replace(batch, targets=targets, is_mixed=True)
    half = HALF_PRECISION.get(state.config.train.precision)
    with torch.autocast(state.device.type, half, enabled=half is not None):
        return state.objective.loss(state.classifier, features, batch)


def _masked_value(state: TrainingState) -> Tensor | None:
    """Return the standardised features of silence where masks write these, or else none.

    Shape: → (1, C, 1)
    """
    features, in_shape = state.config.features, state.config.in_shape
    if state.config.augment.masked == "mean":
        return None
    assert features.name == "logmel", "Config refuses others"
    silence = torch.full((1, in_shape[0], 1), math.log(features.offset), device=state.device)
    return torch.as_tensor(state.classifier.standardise(silence))
