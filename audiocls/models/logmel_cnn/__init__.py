"""Options of `logmel_cnn` (torch-free); the network lies in `network.py`."""

import math
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import EMPTY, Dropout, OddKernel, frame_faults, require_possible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class LogMelCNN(Options):
    """1-D CNN over mel bands: four × (conv, BatchNorm, max-pool, ReLU), pooled, one Linear.

    Unusual: the mel bands are channels, not a picture's axis, so the first convolution sees all
    of them at once (or a group of neighbouring ones), and 100,000 parameters are enough. Source:
    the course assignment on yes/no keywords. Not for raw audio: the kernels span a few samples.
    """

    name: Literal["logmel_cnn"] = "logmel_cnn"
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 64, 96, 96)
    kernel: OddKernel = 3
    """Frames each convolution spans."""
    pool: PositiveInt = 3
    """Frames each max-pool merges into one; what is left at the end is merged too."""
    dropout: Dropout = 0.0
    """Before the Linear."""
    groups: PositiveInt = 1
    """Of every convolution; must divide every channel count, the mel bands included."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Faults on features of that shape (channels, frames)."""
        in_channels, frames = in_shape
        return [*self._indivisible(in_channels), *frame_faults(frames, 1, EMPTY)]

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models.logmel_cnn import network

        require_possible(self, in_shape)
        return network.LogMelCNN(
            in_shape[0],
            num_classes,
            channels=self.channels,
            kernel=self.kernel,
            pool=self.pool,
            dropout=self.dropout,
            groups=self.groups,
        )

    def _indivisible(self, in_channels: int) -> list[str]:
        """Not a fault of the options alone: with other mel bands the same groups may fit."""
        counts = {"input (mel bands)": in_channels} | {
            f"channels[{index}]": count for index, count in enumerate(self.channels)
        }
        offending = [f"{name} = {n}" for name, n in counts.items() if n % self.groups]
        if not offending:
            return []
        largest = math.gcd(*counts.values())
        allowed = [d for d in range(1, largest + 1) if largest % d == 0]
        return [
            f"groups: got {self.groups}, which does not divide {', '.join(offending)}; "
            f"allowed: {', '.join(map(str, allowed))} (the divisors all counts share)"
        ]
