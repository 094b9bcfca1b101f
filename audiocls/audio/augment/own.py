"""Anybody's transform and mix of waveforms, `"package.module:attribute"` (torch-free options).

A part draws as it likes, from torch's, NumPy's or Python's global generator. It gets one clip at a
time, and before each the generators are seeded by that clip's own number: so a clip gets the same
in any batch, as from the shipped augmentations.

Legend: B batch, T samples.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from audiocls.errors import ConfigError
from audiocls.parts import Call, OwnPart

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from audiocls.audio.augment.clip_rng import ClipRNG


class OwnTransform(OwnPart):
    """A transform of your own, called (waveforms, sample_rate, **options): (B, T) → (B, T)."""

    CALL: ClassVar = Call("augment", "transform", ("waveforms", "sample_rate"), num_positional=2)

    def applied(self, waveforms: "Tensor", draws: "ClipRNG", sample_rate: int) -> "Tensor":
        """Transform each clip, at `sample_rate` Hz. Shape: waveforms (B, T) → (B, T)"""
        import torch

        change = self.function()
        rows = [
            change(waveforms[row : row + 1], sample_rate)
            for row in seeded_rows(self.name, draws, waveforms.device)
        ]
        return torch.cat([_row_like(self, row, waveforms) for row in rows])


class OwnMix(OwnPart):
    """A mix of your own, called (first, second, sample_rate, **options).

    It returns the mixed waveforms and the share of `first` in the target.

    Shape: first (B, T), second (B, T) → (B, T), (B, 1) in 0 … 1
    """

    CALL: ClassVar = Call("augment", "mix", ("first", "second", "sample_rate"), num_positional=3)

    def mixed(
        self, first: "Tensor", second: "Tensor", draws: "ClipRNG", sample_rate: int
    ) -> "tuple[Tensor, Tensor]":
        """Mix pairs at `sample_rate` Hz. Shape: (B, T), (B, T) → (B, T), (B, 1)"""
        import torch

        mix = self.function()
        pairs = [
            mix(first[row : row + 1], second[row : row + 1], sample_rate)
            for row in seeded_rows(self.name, draws, first.device)
        ]
        rows = torch.cat([_row_like(self, row, first) for row, _ in pairs])
        shares = [torch.as_tensor(share, device=first.device) for _, share in pairs]
        return rows, torch.stack([share.float().reshape(1) for share in shares])


def _row_like(part: OwnPart, row: Any, waveforms: "Tensor") -> "Tensor":
    """Return a result if it is a waveform as it was. Shape: waveforms (B, T) → (1, T)"""
    import torch

    wanted = (1, waveforms.shape[1])
    if not isinstance(row, torch.Tensor) or tuple(row.shape) != wanted:
        got = tuple(row.shape) if isinstance(row, torch.Tensor) else type(row).__name__
        raise ConfigError(part.what, [f"makes {got} of waveforms {wanted}; wanted: {wanted}"])
    return row.to(waveforms)


def seeded_rows(name: str, draws: "ClipRNG", device: "torch.device") -> Iterator[int]:
    """Yield each row of the batch while all global generators are seeded by its clip."""
    seeds = draws.on("cpu").integers(f"{name} seed", 2**31 - 1)[:, 0].tolist()
    for row, seed in enumerate(seeds):
        with _seeded(seed, device):
            yield row


@contextmanager
def _seeded(seed: int, device: "torch.device") -> Iterator[None]:
    """Seed torch, NumPy and Python for a while; afterwards they go on as if nothing had been."""
    import numpy as np
    import torch

    python, numbers = random.getstate(), np.random.get_state()
    kind = "cuda" if device.type == "cpu" else device.type
    with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=kind):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)
