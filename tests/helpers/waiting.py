"""What of a step makes the host wait for an accelerator, counted on a device without data.

A copy between host and device waits unless it is told not to; so does an index from the host into
what lies on the device. What would need numbers that only the device has (`item`, `nonzero`) raises
on device `meta`, as no such number exists there.
"""

import copy
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from audiocls.audio.batches import training_batches
from audiocls.audio.dataset import AudioDataset
from audiocls.config import Config
from audiocls.training.state import TrainingState, build
from helpers.steps import train_step

META = torch.device("meta")
INDEXING = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
}


class Waits(TorchDispatchMode):
    """Collects the line of code of every operation for which the host would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.num_operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        self.num_operations += 1
        if _is_blocking_copy(func, args, given, result) or _is_indexed_by_host(func, args):
            self.lines.append(_line_of_ours())
        return result


def _is_blocking_copy(func: Any, args: Any, given: Any, result: Any) -> bool:
    if func is torch.ops.aten._to_copy.default:
        source, is_free = args[0], given.get("non_blocking", False)
    elif func is torch.ops.aten.copy_.default:
        source, is_free = args[1], len(args) > 2 and args[2]
        source = source if source.dim() else result  # a number goes along with the command
    else:
        return False
    return source.device != result.device and not is_free


def _is_indexed_by_host(func: Any, args: Any) -> bool:
    if func not in INDEXING or args[0].device != META:
        return False
    return any(index is not None and index.device != META for index in args[1])


def _line_of_ours() -> str:
    frames = traceback.extract_stack()
    last = [each for each in frames if "/audiocls/" in each.filename or each is frames[0]][-1]
    return f"{last.filename.rpartition('/audiocls/')[2]}:{last.lineno} {last.line}"


def without_data(dataset: AudioDataset) -> AudioDataset:
    """Return a data set whose tensors lie on a device without data."""
    return replace(
        dataset,
        device=META,
        targets=dataset.targets.to(META),
        front_end=copy.deepcopy(dataset.front_end).to(META),
    )


def state_without_data(
    config: Config, dataset: AudioDataset, learns_views: bool = False
) -> TrainingState:
    """Return a trial on a device without data, the features' statistics those of `dataset`."""
    build(config, dataset, learns_views=learns_views)
    with pytest.MonkeyPatch.context() as patched:  # of half precision, torch knows none there
        patched.setattr("audiocls.training.state.require_precision", lambda *_: None)
        state = build(config, without_data(dataset), learns_views=learns_views)
    for group in state.optimizer.param_groups:
        group["fused"] = False  # torch has those kernels for devices that compute
        group["foreach"] = True
    return state


def step_without_data(state: TrainingState) -> Waits:
    """Take a step, the second of an epoch, and return what the host waited for in it."""
    clips, seed = state.split.train, state.seed("order", 0)
    batches = training_batches(state.dataset, clips, state.batching, 0, seed, state.stored)
    state.classifier.train()
    with autocast_of_cpu():
        train_step(state, [next(batches)])
        with Waits() as waits:
            train_step(state, [next(batches)], is_measured=True)
    return waits


@contextmanager
def autocast_of_cpu() -> Iterator[None]:
    """There is no autocast on a device without data; that of the CPU casts nothing there."""
    real: Callable[..., Any] = torch.autocast
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "autocast", lambda _, *given, **named: real("cpu", *given, **named))
        yield
