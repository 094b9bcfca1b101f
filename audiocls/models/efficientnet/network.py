"""EfficientNet over images of one channel (Tan and Le, 2019, arXiv 1905.11946).

Notable:
- one input channel, the features, of any height and width;
- no bias in squeeze and excitation; no dropout before the Linear by default;
- convolutions are padded symmetrically by kernel // 2, also where they stride, or with `SAME`;
- `width` and `depth` scale the channels and blocks of b0 freely, also below 1.

Legend: B batch, C channels, F mel bands, L frames, K classes. H height and W width are what is
left of bands and frames inside.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

from audiocls.models.image import as_image
from audiocls.models.padding import Padding, conv2d
from audiocls.models.stochastic_depth import StochasticDepth, linear_in_depth


class Stage(NamedTuple):
    """One row of the paper's table 1."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
SQUEEZE = 4
"""The squeeze has one channel for this many that enter its block."""
EPSILON = 1e-3
"""Of the BatchNorms, as in the authors' code. With torch's 1e-5, a batch of silence, whose variance
is 0, multiplies gradients by 316 at each of 49 BatchNorms: they overflow."""


class Style(NamedTuple):
    """How all convolutions are padded and normalised."""

    padding: Padding = "symmetric"
    epsilon: float = EPSILON

    def conv_norm(
        self, in_channels: int, channels: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """Return a convolution without bias, which BatchNorm would undo, and BatchNorm."""
        conv = conv2d(in_channels, channels, kernel, stride, groups, self.padding)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="linear")
        return conv, nn.BatchNorm2d(channels, eps=self.epsilon)

    def normed(
        self, in_channels: int, channels: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> nn.Sequential:
        """Return a convolution, its BatchNorm and SiLU."""
        layers = self.conv_norm(in_channels, channels, kernel, stride, groups)
        return nn.Sequential(*layers, nn.SiLU(inplace=True))


class EfficientNet(nn.Module):
    """Strided stem, seven stages of inverted bottlenecks, a 1 × 1 convolution, mean, one Linear.

    >>> import torch
    >>> EfficientNet(5, width=0.25, depth=0.3)(torch.zeros(2, 64, 101)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        num_classes: int,
        width: float = 1.0,
        depth: float = 1.0,
        stochastic_depth: float = 0.2,
        dropout: float = 0.0,
        style: Style | None = None,
    ):
        super().__init__()
        style = style or Style()
        stem, head = scaled(STEM_CHANNELS, width), scaled(HEAD_CHANNELS, width)
        self.stem = style.normed(1, stem, 3, stride=2)
        self.blocks = nn.Sequential(*_blocks(stem, width, depth, stochastic_depth, style))
        self.widen = style.normed(scaled(STAGES[-1].channels, width), head, 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(head, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits.

        Shape: (B, F, L) → (B, K) for any F and L of at least 1
        """
        hidden = self.widen(self.blocks(self.stem(as_image(features))))
        logits: Tensor = self.head(self.dropout(hidden.mean(dim=(2, 3))))
        return logits


class Block(nn.Module):
    """MBConv: expand, depthwise convolution, excitation, project; residual where shapes allow.

    Sandler et al., 2018 (arXiv 1801.04381), figure 4, with the excitation of Hu et al., 2018.

    >>> import torch
    >>> Block(8, Stage(6, 5, 2, 16, 1), drop=0.0)(torch.zeros(2, 8, 9, 16)).shape
    torch.Size([2, 16, 5, 8])
    """

    def __init__(self, in_channels: int, stage: Stage, drop: float, style: Style | None = None):
        super().__init__()
        style = style or Style()
        inner = in_channels * stage.expansion
        widen = [style.normed(in_channels, inner, 1)] if stage.expansion > 1 else []
        self.branch = nn.Sequential(
            *widen,
            style.normed(inner, inner, stage.kernel, stage.stride, groups=inner),
            Excitation(inner, max(1, in_channels // SQUEEZE)),
            *style.conv_norm(inner, stage.channels, 1),
        )
        self.is_residual = stage.stride == 1 and in_channels == stage.channels
        self.drop = StochasticDepth(drop)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the branch, plus `hidden` where both have the same shape.

        Shape: (B, C, H, W) → (B, channels, ⌈H / stride⌉, ⌈W / stride⌉)
        """
        out: Tensor = self.branch(hidden)
        return hidden + self.drop(out) if self.is_residual else out


class Excitation(nn.Module):
    """Squeeze and excitation: a gate per channel from all channels' means (Hu et al., 2018).

    Without biases.

    >>> import torch
    >>> Excitation(8, 2)(torch.ones(1, 8, 3, 4)).shape
    torch.Size([1, 8, 3, 4])
    """

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1, bias=False),
            nn.SiLU(),
            nn.Conv2d(squeezed, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Return each channel times its gate in (0, 1).

        Shape: (B, C, H, W) → (B, C, H, W)
        """
        out: Tensor = hidden * self.gate(hidden.mean(dim=(2, 3), keepdim=True))
        return out


def scaled(channels: int, width: float) -> int:
    """Return `channels` · `width`, rounded to a multiple of 8 (the published rule of the family).

    To the nearest one, unless that is less than 90 % of the product.

    >>> [scaled(32, width) for width in (0.1, 0.25, 1.0, 1.1)]
    [8, 8, 32, 32]
    """
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


def _blocks(
    in_channels: int, width: float, depth: float, rate: float, style: Style
) -> Iterator[Block]:
    """Yield the blocks of all stages; only the first of a stage strides."""
    repeated = [
        (stage, repeat) for stage in STAGES for repeat in range(math.ceil(stage.blocks * depth))
    ]
    drops = linear_in_depth(rate, len(repeated))
    for (stage, repeat), drop in zip(repeated, drops, strict=True):
        stride = stage.stride if repeat == 0 else 1
        channels = scaled(stage.channels, width)
        yield Block(in_channels, stage._replace(stride=stride, channels=channels), drop, style)
        in_channels = channels
