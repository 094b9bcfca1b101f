"""Options of `resnet18` to `resnet200` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import Dropout, image_problems, require_compatible
from audiocls.options import Options, added

if TYPE_CHECKING:
    from torch import nn


class ResNet(Options):
    """ResNet over the features as an image of one channel: basic blocks, from 50 on bottlenecks.

    Notable: the last BatchNorm scale of each block starts at 0, so that every block begins as
    its shortcut (Goyal et al., 2017, arXiv 1706.02677, section 5.1). Source: audax on Speech
    Commands, 11.2 M parameters; He et al., 2016 (arXiv 1512.03385), table 1. On a CPU choose
    width 8. Not for raw audio, which has no bands.
    """

    name: Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet200"] = (
        "resnet18"
    )
    width: PositiveInt = 64
    """Channels of the stem and the first stage; the last stage has eight times as many, and four
    times as many again leave a bottleneck."""
    blocks: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] | None = added(None)
    """Blocks of each stage, instead of those that the name sets; [1, 1, 1, 1] of `resnet18` halves
    its depth."""
    pool: Literal["mean", "mean_max"] = added("mean")
    """Over bands and frames: the mean, which knows textures, or the sum of mean and maximum, which
    finds a short event in a long clip as well."""
    dropout: Dropout = 0.0
    """Probability of dropout before the Linear."""
    padding: Literal["symmetric", "same"] = added("symmetric")
    """Where a layer behind the stem's convolution strides: kernel // 2 zeros at both ends, or
    TensorFlow's and Flax' `SAME`, which over an even size has the odd zero at the end."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return image_problems(in_shape)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.resnet import network

        require_compatible(self, in_shape)
        return network.ResNet(
            num_classes,
            self.blocks or network.BLOCKS[self.name],
            width=self.width,
            dropout=self.dropout,
            is_basic=self.name in network.BASIC,
            padding=self.padding,
            pool=self.pool,
        )
