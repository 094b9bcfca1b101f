"""Options of `logmel_cnn` (torch-free); the network is in `network.py`."""

import math
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import EMPTY, Dropout, OddKernel, frame_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class LogMelCNN(Options):
    """1-D CNN over mel bands: four × (conv, BatchNorm, max-pool, ReLU), pooled, one Linear.

    Notable: the mel bands are channels, not an axis of an image, so the first convolution combines
    all of them (or a group of neighbouring ones), and 100,000 parameters are enough. Source: the
    course assignment on yes/no keywords. Not for raw audio: the kernels span a few samples.
    """

    name: Literal["logmel_cnn"] = "logmel_cnn"
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 64, 96, 96)
    """Output channels of each convolution."""
    kernel: OddKernel = 3
    """Frames that each convolution spans."""
    pool: PositiveInt = 3
    """Frames that each max-pool merges into one; an incomplete last group is merged too."""
    dropout: Dropout = 0.0
    """Probability of dropout before the Linear."""
    groups: PositiveInt = 1
    """Groups of every convolution; must divide every channel count, the mel bands included."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        in_channels, frames = in_shape
        return [*self._indivisible(in_channels), *frame_problems(frames, 1, EMPTY)]

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.logmel_cnn import network

        require_compatible(self, in_shape)
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
        """Return a message if `groups` does not divide every channel count.

        Checked here and not in the options alone: other features have another number of bands.
        """
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
