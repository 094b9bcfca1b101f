"""Options of `convnext_tiny` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import Dropout, image_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn

FourStages = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]


class ConvNeXt2d(Options):
    """ConvNeXt over the features as an image: patches, 7 × 7 depthwise kernels, LayerNorm.

    Notable: no BatchNorm, so batch size does not matter; each branch starts scaled by a millionth;
    stochastic depth; no norm before the Linear. Bands and frames that fill no patch are padded
    with zeros. Source: audax on Speech Commands, 27.8 M parameters;
    Liu et al., 2022 (arXiv 2201.03545). On a CPU choose depths [1, 1, 2, 1] and widths
    [16, 32, 64, 128]. Not for raw audio, which has no bands.
    """

    name: Literal["convnext_tiny"] = "convnext_tiny"
    depths: FourStages = (3, 3, 9, 3)
    """Blocks of each stage."""
    widths: FourStages = (96, 192, 384, 768)
    """Channels of each stage."""
    stochastic_depth: Dropout = 0.1
    """Probability of dropping the last block's branch; the others' grow linearly up to it."""
    dropout: Dropout = 0.0
    """Probability of dropout before the Linear."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return image_problems(in_shape)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.convnext2d import network

        require_compatible(self, in_shape)
        return network.ConvNeXt2d(
            num_classes,
            depths=self.depths,
            widths=self.widths,
            stochastic_depth=self.stochastic_depth,
            dropout=self.dropout,
        )
