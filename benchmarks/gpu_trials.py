"""The trials that `gpu.py` checks and times, their steps, and how a host waited before."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiocls import library
from audiocls.audio import batches as batching
from audiocls.audio import dataset as data
from audiocls.audio.augment import mixing, rows, spec_augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.clips import fingerprint
from audiocls.config import Config, resolve
from audiocls.execution.worker_cache import WorkerCache
from audiocls.training.branches import Branches, open_branches
from audiocls.training.determinism import determinism
from audiocls.training.fit import EpochEnd, RunningTrial, Signal, groups_of_epoch, train_epoch
from audiocls.training.state import TrainingState, build
from audiocls.training.step import StepForm

Changes = dict[str, Any]
CACHE = "AUDIOCLS_CACHE"
ENDLESS = 100_000
"""Epochs of a schedule that no measurement reaches the end of."""
CNN: Changes = {"train.batch_size": 128, "train.drop_last": True, "optim.lr": 1e-4}
RESNET: Changes = {
    "model": {"name": "resnet18"},
    "train.batch_size": 256,
    "train.drop_last": True,
    "optim.lr": 1e-4,
}
EAT: Changes = {
    "train.precision": "bf16",
    "schedule.cycle_momentum": None,
    "augment.mix_from_epoch": 0,
}
"""EAT-S as a graph can have it, without fp16's look at the gradient and without cyclic momentum;
all its augmentations from the first epoch on."""
TINY: Changes = {
    "data": {"name": "synthetic", "num_sources": 5, "clips_per_source": 1, "sample_rate": 8000,
             "duration_s": 0.5},
    "features": {"name": "logmel", "n_mels": 16, "n_fft": 256, "hop": 128},
    "model": {"name": "logmel_cnn", "channels": [8, 8, 8, 8]},
    "optim": {"name": "adamw", "lr": 2**-8},
    "schedule": {"name": "constant"},
    "train": {"epochs": 3, "batch_size": 8},
}  # fmt: skip
"""A trial of 12 steps; its rate is the same number in float32 and in float64."""
SMALL: dict[str | None, Changes] = {
    None: {"train.batch_size": 15, "features": TINY["features"], "model": TINY["model"]},
    "resnet18": {"train.batch_size": 15, "features": TINY["features"], "model.width": 4},
    "raw": {
        "train.batch_size": 15,
        "model": {"name": "convnext1d", "stem_width": 4, "strides": [32]},
    },
}
"""Changes of the model → what lets a CPU take its steps in a moment; EAT's by another network."""


@dataclass(frozen=True)
class Workbench:
    """Where trials are made: a device, a folder for what is decoded, and whether all is small."""

    device: torch.device
    cache: WorkerCache
    is_small: bool

    @classmethod
    @contextmanager
    def opened(cls, device: str, is_small: bool) -> Iterator["Workbench"]:
        """Yield one; its folder is removed afterwards, unless AUDIOCLS_CACHE names another."""
        with ExitStack() as stack:
            if not os.environ.get(CACHE):
                folder = tempfile.TemporaryDirectory(prefix="audiocls-gpu-")
                stack.enter_context(patch.dict(os.environ, {CACHE: stack.enter_context(folder)}))
            yield cls(torch.device(device), WorkerCache(Path(os.environ[CACHE])), is_small)

    def tiny(self, changes: Changes) -> TrainingState:
        """Return the small trial that equalities are checked with."""
        return self._built(resolve([TINY, {"device": self.device.type}, changes], "tiny"))

    def of_recipe(self, name: str, changes: Changes) -> TrainingState:
        """Return a trial of a recipe on generated clips, with a schedule that never ends."""
        clips = {"num_sources": 25, "clips_per_source": 10}
        if name.startswith("eat"):
            clips = {"num_sources": 25, "clips_per_source": 4, "sample_rate": 22050}
            clips["duration_s"] = 5.20127
        small = {}
        if self.is_small:
            clips = TINY["data"]
            small = SMALL["raw" if name.startswith("eat") else changes.get("model", {}).get("name")]
        fixed = {"train.epochs": ENDLESS, "device": self.device.type}
        parts = [
            library.recipe(name),
            {"data": {"name": "synthetic", **clips}},
            changes,
            fixed,
            small,
        ]
        return self._built(resolve(parts, name))

    def _built(self, config: Config) -> TrainingState:
        table = config.data.table(self.cache.cache)
        print_of_clips = fingerprint(table, self.cache.cache)
        return build(config, self.cache.dataset(config, print_of_clips))

    def open_on(self, num_branches: int, device: torch.device) -> Branches:
        """Return what captures graphs there; on a CPU the tests' tape."""
        if device.type == "cuda":
            return open_branches(num_branches, device)
        from helpers.tape import TapeBranches

        return TapeBranches(num_branches, device)

    def finish(self) -> None:
        """Wait until the device has nothing left to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Steps:
    """The steps of trials, epoch after epoch, as `fit` takes them but for validation."""

    def __init__(
        self,
        bench: Workbench,
        states: Sequence[TrainingState],
        form: StepForm,
        context: AbstractContextManager[None] | None = None,
    ):
        self._bench, self._context = bench, context
        self._trials = [RunningTrial(state, _go) for state in states]
        self._step = form(states)
        self._is_deterministic = states[0].config.train.deterministic

    def clips_per_s(self, seconds: float) -> float:
        """Return the clips trained on in a second, of all trials, over whole epochs."""
        context = self._context or nullcontext()
        with context, determinism(self._is_deterministic, self._bench.device):
            before, started = self._num_clips(), time.monotonic()
            while time.monotonic() < started + seconds or self._num_clips() == before:
                self._epoch()
            self._bench.finish()
            return (self._num_clips() - before) / (time.monotonic() - started)

    def warm_up(self) -> None:
        """Take two epochs: kernels are loaded in the first, graphs captured by the second."""
        for _ in range(2):
            self.clips_per_s(0.0)

    def take(self) -> None:
        """Take the steps of an epoch, and read nothing of them."""
        states = [trial.state for trial in self._trials]
        epochs = [trial.progress.epoch for trial in self._trials]
        with self._step.epoch(epochs):
            streams = (groups_of_epoch(*pair) for pair in zip(states, epochs, strict=True))
            for groups in zip(*streams, strict=True):
                self._step(groups, False)

    def _epoch(self) -> None:
        train_epoch(self._step, self._trials)
        for trial in self._trials:
            trial.progress.epoch += 1

    def _num_clips(self) -> int:
        return sum(trial.progress.samples for trial in self._trials)


def _go(end: EpochEnd) -> Signal:
    return Signal.CONTINUE


class Waiting(AbstractContextManager[None]):
    """Lets the host wait for the device as it did before: blocking copies, indices of the host.

    Masks and random numbers are drawn batch by batch, and clips that a change is due for are looked
    up. `without_stored` is the other half.
    """

    def __enter__(self) -> None:
        self._stack = ExitStack()
        for module in (data, batching):
            self._stack.enter_context(patch.object(module, "on_device", _copied))
        there = patch.object(ClipRNG, "_clips_there", lambda self: self.clips.to(self.device))
        self._stack.enter_context(there)
        self._stack.enter_context(patch.object(spec_augment, "CHUNK_CLIPS", 1))
        for module in (rows, mixing):
            self._stack.enter_context(patch.object(module, "rows_to_compute", _rows))

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def without_stored(state: TrainingState) -> TrainingState:
    """Return a trial whose features are copied and standardised batch by batch."""
    return replace(state, stored=None)


def _copied(array: NDArray[np.generic], device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)


def _rows(is_due: Tensor) -> Tensor | None:
    (due,) = torch.nonzero(is_due.cpu(), as_tuple=True)
    return due if len(due) > 0 else None
