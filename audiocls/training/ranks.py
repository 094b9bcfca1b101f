"""Data parallelism: the processes of one trial, each on a device, share every batch.

Each rank reads and augments whole batches, because clips are mixed with one another, and computes
the gradient of its share of the rows; the gradients are summed. The number of clips that a batch
has, and with it the learning rate, stay as configured: the trial is the same as on one device, up
to rounding.

Legend: B batch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from audiocls.audio.batches import Batch
from audiocls.errors import ConfigError

T = TypeVar("T")
PATIENCE = timedelta(hours=24)
"""The first rank may score, wait for a server or compute features meanwhile; processes that have
died are noticed otherwise."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train a trial; alone, unless `joined` says otherwise."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that validates, stores and reports."""
        return self.rank == 0

    @property
    def execution(self) -> str:
        """How steps are computed, as records have it."""
        return "eager" if self.size == 1 else f"eager on {self.size} devices"

    def share(self, batch: Batch) -> Batch:
        """Return this rank's rows of a batch, whose sizes differ by at most one between ranks."""
        if self.size == 1:
            return batch
        num_clips = len(batch.targets)
        bounds = (self.rank * num_clips // self.size, (self.rank + 1) * num_clips // self.size)
        return batch.span(*bounds)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients by their sums over the ranks."""
        if self.size == 1:
            return
        gradients = [each.grad for each in parameters if each.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        summed = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, values in zip(gradients, summed, strict=True):
            gradient.copy_(values.view_as(gradient))

    def summed(self, value: Tensor) -> Tensor:
        """Return the sum over the ranks. Shape: any → the same"""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def of_first(self, compute: Callable[[], T]) -> T:
        """Compute on the first rank alone; return its result, which is small, on all."""
        if self.size == 1:
            return compute()
        result: list[T | None] = [compute() if self.is_first else None]
        dist.broadcast_object_list(result)
        return result[0]  # type: ignore[return-value]

    def purpose(self, name: str) -> str:
        """Return what seeds this rank's random numbers of a purpose; the first one's as alone."""
        return name if self.is_first else f"{name} of rank {self.rank}"

    def prepare(self, model: nn.Module, smallest_batch: int, mixes_features: bool) -> nn.Module:
        """Return a model whose BatchNorm layers take their statistics over all ranks.

        Raises `ConfigError` where a batch has fewer clips than there are ranks, its features are
        mixed with one another, or BatchNorm cannot be shared on this device.
        """
        if self.size == 1:
            return model
        if mixes_features:
            what = f"feature_mixup: mixes a whole batch, which {self.size} devices share"
            raise ConfigError("augment", [f"{what}; leave --devices-per-trial out"])
        if smallest_batch < self.size:
            what = f"batch_size: batches have {smallest_batch} clips, for {self.size} devices"
            raise ConfigError("train", [f"{what}; leave --devices-per-trial out, or raise it"])
        if not any(isinstance(part, _BatchNorm) for part in model.modules()):
            return model
        if any(each.device.type == "cpu" for each in model.parameters()):
            how = "its BatchNorm takes statistics over several GPUs, but over no processes on cores"
            raise ConfigError("model", [f"{how}; leave --devices-per-trial out"])
        shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return shared


ALONE = Ranks()


def joined(rank: int, size: int, meeting: Path, device: torch.device) -> Ranks:
    """Return this process among `size`, which meet in a file that none of them has made yet.

    It computes on the CUDA device of its number from here on, if `device` is one.
    """
    if device.type == "cuda":
        torch.cuda.set_device(rank)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    return Ranks(rank, size)


def leave() -> None:
    """Leave the other ranks, if they were met."""
    if dist.is_initialized():
        dist.destroy_process_group()
