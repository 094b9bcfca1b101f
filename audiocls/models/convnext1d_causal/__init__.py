"""Options of `convnext1d_causal` (torch-free); the network lies in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeInt, PositiveInt

from audiocls.models.options import EMPTY, Dropout, frame_faults, require_possible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class ConvNeXt1dCausal(Options):
    """ConvNeXt blocks that hear the past only, and so can be trained to foretell a clip's codes.

    Unusual: no stride and no pooling; the class is read off the last position, whose memory is
    blocks · (kernel - 1) + 1 frames: 385 by default, 5.1 s of EnCodec's 75 a second, so that of a
    longer clip the beginning goes unheard. Each frame is normalised alone: the GroupNorm of
    `convnext1d` takes its mean over time, in which the future is. Source: the regularisation
    study on ESC-50, its form with a language model's head.
    """

    name: Literal["convnext1d_causal"] = "convnext1d_causal"
    width: PositiveInt = 128
    """Channels throughout; features of another number pass a 1 × 1 convolution first."""
    blocks: PositiveInt = 8
    kernel: PositiveInt = 49
    """Frames: this one and the kernel - 1 before it."""
    dropout: Dropout = 0.0
    """Of both dropouts of each block."""
    expansion: PositiveInt = 4
    num_codebooks: NonNegativeInt = 0
    """EnCodec codebooks whose codes a second head foretells; 0 means no such head."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Faults on features of that shape (channels, frames)."""
        return frame_faults(in_shape[1], 1, EMPTY)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models.convnext1d_causal import network

        require_possible(self, in_shape)
        return network.ConvNeXt1dCausal(
            in_shape[0],
            num_classes,
            width=self.width,
            blocks=self.blocks,
            kernel=self.kernel,
            dropout=self.dropout,
            expansion=self.expansion,
            num_codebooks=self.num_codebooks,
        )
