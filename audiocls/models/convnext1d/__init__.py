"""Options of `convnext1d` (torch-free); the network is in `network.py`."""

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from audiocls.models.options import Dropout, OddKernel, frame_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class ConvNeXt1d(Options):
    """ConvNeXt along time, on raw audio or any features; logits are a mean over time.

    Notable: depthwise kernels of 49 frames, one GroupNorm group (so batch size does not matter),
    no layer scale, and two dropouts in a row, of values and of whole channels. Widths double
    with each stage. Source: the regularisation study on ESC-50; Liu et al., 2022
    (arXiv 2201.03545) for the block. The defaults are the study's form for raw audio at 44.1 kHz,
    36.6 M parameters: on a CPU choose stem_width 16, strides [4, 4], kernel 9. Its form for
    EnCodec's embeddings is stem_width 256, stem_stride 4, strides [2, 2].
    """

    name: Literal["convnext1d"] = "convnext1d"
    stem_width: PositiveInt = 64
    """Channels of the first stage."""
    stem_stride: PositiveInt = 16
    """Frames per patch of the stem: its kernel as well as its stride."""
    strides: tuple[PositiveInt, ...] = Field(default=(4, 4, 4, 4), min_length=1)
    """Frames merged into one at the start of each stage; one entry per stage."""
    blocks: PositiveInt = 3
    """Blocks per stage."""
    kernel: OddKernel = 49
    """Frames of each depthwise convolution."""
    dropout: Dropout = 0.0
    """Probability of both dropouts of each block."""
    expansion: PositiveInt = 4
    """Hidden units of each block's perceptron per channel."""
    stochastic_depth: Dropout = 0.0
    """Probability of dropping the deepest block's branch; the others' grow linearly up to it."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        _, frames = in_shape
        minimum = self.stem_stride * math.prod(self.strides)
        return frame_problems(frames, minimum, "the product of all strides")

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.convnext1d import network

        require_compatible(self, in_shape)
        return network.ConvNeXt1d(
            in_shape[0],
            num_classes,
            stem_width=self.stem_width,
            stem_stride=self.stem_stride,
            strides=self.strides,
            blocks=self.blocks,
            kernel=self.kernel,
            dropout=self.dropout,
            expansion=self.expansion,
            stochastic_depth=self.stochastic_depth,
        )
