"""Options of `convnext_tiny` (torch-free); the network lies in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import Dropout, picture_faults, require_possible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn

FourStages = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]


class ConvNeXt2d(Options):
    """ConvNeXt over the features as a picture: patches, 7 × 7 depthwise kernels, LayerNorm.

    Unusual: no BatchNorm, so batch size does not matter; each branch starts at a millionth; whole
    branches are dropped, the more the deeper; no norm before the Linear. Bands and frames that
    fill no patch are filled up with zeros. Source: audax on Speech Commands, 27.8 M parameters;
    Liu et al., 2022 (arXiv 2201.03545). On a CPU choose depths [1, 1, 2, 1] and widths
    [16, 32, 64, 128]. Not for raw audio, which has no bands to make a picture of.
    """

    name: Literal["convnext_tiny"] = "convnext_tiny"
    depths: FourStages = (3, 3, 9, 3)
    """Blocks of each stage."""
    widths: FourStages = (96, 192, 384, 768)
    """Channels of each stage."""
    stochastic_depth: Dropout = 0.1
    """Probability of dropping the last block's branch; the others' grow linearly up to it."""
    dropout: Dropout = 0.0
    """Before the Linear."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Faults on features of that shape (channels, frames)."""
        return picture_faults(in_shape)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models.convnext2d import network

        require_possible(self, in_shape)
        return network.ConvNeXt2d(
            num_classes,
            depths=self.depths,
            widths=self.widths,
            stochastic_depth=self.stochastic_depth,
            dropout=self.dropout,
        )
