"""Batches in parts, for a trial whose step does not fit into the memory of its device.

Gradients are added up over the parts, so that weights are those of the whole batch, to rounding;
unless BatchNorm normalises by what it gets at a time. The trial stays the one that was configured,
and its record has a note.

Legend: B batch.
"""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from audiocls.audio.batches import Batch, batch_spans
from audiocls.training.memory import is_out_of_memory


class MicroBatches:
    """In how many parts a trial's batches are computed: 1 until memory runs out."""

    def __init__(self) -> None:
        self.count = 1

    def of(self, group: list[Batch]) -> list[Batch]:
        """Return the batches of a step, each in as many parts as it is now split in."""
        if self.count == 1:
            return group
        return [
            batch if batch.num_clips == 1 else batch.span(*span)
            for batch in group
            for span in batch_spans(batch.num_clips, min(self.count, batch.num_clips))
        ]

    def split_further(self, error: Exception, network: nn.Module, group: list[Batch]) -> None:
        """Double the parts after `error`; raise it again where that cannot help."""
        largest = max(len(batch.targets) for batch in group)
        if not is_out_of_memory(error) or self.count >= largest:
            raise error
        if why := _needs_whole_batches(network, group):
            raise torch.OutOfMemoryError(
                f"{error}. The batch cannot be computed in parts: {why}; use a smaller "
                "train.batch_size"
            ) from error
        self.count *= 2

    def notes(self) -> tuple[str, ...]:
        """Return what a record says of it, if batches were split."""
        if self.count == 1:
            return ()
        return (f"out of memory: batches were computed in {self.count} parts, gradients added up",)


def _needs_whole_batches(network: nn.Module, group: list[Batch]) -> str:
    """Return why a step needs all clips of a batch at once, or an empty text."""
    if any(isinstance(layer, _BatchNorm) for layer in network.modules()):
        return "the model has BatchNorm, which normalises by what it gets at a time"
    if any(batch.feature_mix is not None for batch in group):
        return "augment.feature_mixup mixes its clips"
    is_of_views = any(len(batch.inputs) != len(batch.targets) for batch in group)
    return "the loss tells the views of its clips apart" if is_of_views else ""
