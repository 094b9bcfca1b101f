"""Options of `resnet18` and `resnet34` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import Dropout, image_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class ResNet(Options):
    """ResNet with basic blocks over the features as an image of one channel.

    Notable: the last BatchNorm scale of each block starts at 0, so that every block begins as
    its shortcut (Goyal et al., 2017, arXiv 1706.02677, section 5.1). Source: audax on Speech
    Commands, 11.2 M parameters; He et al., 2016 (arXiv 1512.03385), table 1. On a CPU choose
    width 8. Not for raw audio, which has no bands.
    """

    name: Literal["resnet18", "resnet34"] = "resnet18"
    width: PositiveInt = 64
    """Channels of the stem and the first stage; the last stage has eight times as many."""
    dropout: Dropout = 0.0
    """Probability of dropout before the Linear."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return image_problems(in_shape)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.resnet import network

        require_compatible(self, in_shape)
        blocks = network.BLOCKS[self.name]
        return network.ResNet(num_classes, blocks, width=self.width, dropout=self.dropout)
