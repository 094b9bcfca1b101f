"""Options of `convnext1d_causal` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeInt, PositiveInt

from audiocls.models.options import EMPTY, Dropout, frame_problems, require_compatible
from audiocls.options import Options, added

if TYPE_CHECKING:
    from torch import nn


class ConvNeXt1dCausal(Options):
    """Causal ConvNeXt-1d: each output depends on past frames only.

    The same trunk can therefore be trained with next-code prediction.

    Notable: no stride and no pooling; the class is read from the last position, whose receptive
    field is blocks · (kernel - 1) + 1 frames: 385 by default, 5.1 s at EnCodec's 75 Hz; earlier
    frames of longer clips do not reach the classifier, but under `readout` mean. LayerNorm of
    each frame, since the GroupNorm of `convnext1d` averages over time and would leak the future.
    Source: the regularisation study on ESC-50, its form with a language model's head.
    """

    name: Literal["convnext1d_causal"] = "convnext1d_causal"
    width: PositiveInt = 128
    """Channels of every block; features of another number pass a 1 × 1 convolution first."""
    blocks: PositiveInt = 8
    """Blocks, one after the other."""
    kernel: PositiveInt = 49
    """Frames of each depthwise convolution: the present one and the kernel - 1 before it."""
    dropout: Dropout = 0.0
    """Probability of both dropouts of each block."""
    expansion: PositiveInt = 4
    """Hidden units of each block's perceptron per channel."""
    num_codebooks: NonNegativeInt = 0
    """EnCodec codebooks whose codes a second head predicts; 0 is without that head."""
    readout: Literal["last", "mean"] = added("last")
    """Where the class is read: at the last position, as in the source, or from the mean over all
    positions after the first frame, which overfits less on few clips."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return frame_problems(in_shape[1], 1, EMPTY)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.convnext1d_causal import network

        require_compatible(self, in_shape)
        return network.ConvNeXt1dCausal(
            in_shape[0],
            num_classes,
            width=self.width,
            blocks=self.blocks,
            kernel=self.kernel,
            dropout=self.dropout,
            expansion=self.expansion,
            num_codebooks=self.num_codebooks,
            readout=self.readout,
        )
