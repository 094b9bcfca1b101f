"""Options of `convnext_tiny` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from audiocls.models.options import (
    Dropout,
    frame_problems,
    image_problems,
    require_compatible,
)
from audiocls.options import Options, added

if TYPE_CHECKING:
    from torch import nn

FourStages = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
PATCH = 4 * 2 * 2 * 2
"""Bands and frames under one position of the last stage."""


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
    partial_patches: Literal["padded", "dropped"] = added("padded")
    """Bands and frames at the end that fill no patch: padded with zeros, or dropped as in audax."""
    gelu: Literal["exact", "tanh"] = added("exact")
    """The activation: exact, or approximated by tanh, which is Flax' default."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        problems = image_problems(in_shape)
        if self.partial_patches == "dropped":
            problems += frame_problems(in_shape[1], PATCH, "a patch of the last stage")
            if 2 <= in_shape[0] < PATCH:
                problems.append(f"got {in_shape[0]} bands, allowed: {PATCH} or more, for one patch")
        return problems

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
            is_padded=self.partial_patches == "padded",
            gelu=self.gelu,
        )
