"""Options of `resnet18` and `resnet34` (torch-free); the network lies in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import Dropout, picture_faults, require_possible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class ResNet(Options):
    """ResNet with basic blocks over the features as a picture of one channel.

    Unusual: the last BatchNorm scale of each block starts at 0, so that every block begins as
    its shortcut (Goyal et al., 2017, arXiv 1706.02677, section 5.1). Source: audax on Speech
    Commands, 11.2 M parameters; He et al., 2016 (arXiv 1512.03385), table 1. On a CPU choose
    width 8. Not for raw audio, which has no bands to make a picture of.
    """

    name: Literal["resnet18", "resnet34"] = "resnet18"
    width: PositiveInt = 64
    """Channels of the stem and the first stage; the last stage has eight times as many."""
    dropout: Dropout = 0.0
    """Before the Linear."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Faults on features of that shape (channels, frames)."""
        return picture_faults(in_shape)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models.resnet import network

        require_possible(self, in_shape)
        blocks = network.BLOCKS[self.name]
        return network.ResNet(num_classes, blocks, width=self.width, dropout=self.dropout)
