"""ConvNeXt over images of one channel (Liu et al., 2022, arXiv 2201.03545).

Notable, and different from the paper:
- one input channel, the features, of any height and width;
- patches at the border are padded with zeros instead of dropped, unless they are to be dropped;
- no LayerNorm between the mean and the Linear;
- LayerNorm, layer scale (1e-6) and initialisation are the paper's.

Legend: B batch, C channels, F mel bands, L frames, K classes. H height and W width are what is
left of bands and frames inside.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.models.image import as_image
from audiocls.models.stochastic_depth import StochasticDepth, linear_in_depth

Gelu = Literal["exact", "tanh"]
"""Of the normal distribution's own function, or of its approximation by tanh."""
KERNEL, EXPANSION = 7, 4
LAYER_SCALE = 1e-6
WEIGHT_STD = 0.02
EPSILON = 1e-6
"""Of the LayerNorms, as published."""


class ConvNeXt2d(nn.Module):
    """A 4 × 4 patch stem, stages between 2 × 2 patches, the mean of the image, one Linear.

    >>> ConvNeXt2d(5, depths=(1, 1, 1, 1), widths=(8, 8, 8, 8))(torch.zeros(2, 64, 101)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        num_classes: int,
        depths: Sequence[int] = (3, 3, 9, 3),
        widths: Sequence[int] = (96, 192, 384, 768),
        stochastic_depth: float = 0.1,
        dropout: float = 0.0,
        is_padded: bool = True,
        gelu: Gelu = "exact",
    ):
        super().__init__()
        drops = iter(linear_in_depth(stochastic_depth, sum(depths)))
        self.stem = nn.Sequential(Patches(1, widths[0], 4, is_padded), ChannelNorm(widths[0]))
        self.stages = nn.Sequential()
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            down = _down(widths[stage - 1], width, is_padded) if stage else nn.Sequential()
            blocks = (Block(width, next(drops), gelu) for _ in range(depth))
            self.stages.append(nn.Sequential(*down, *blocks))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], num_classes)
        self.apply(_initialise)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits.

        Shape: (B, F, L) → (B, K) for any F and L of at least 1
        """
        hidden = self.stages(self.stem(as_image(features)))
        logits: Tensor = self.head(self.dropout(hidden.mean(dim=(2, 3))))
        return logits


class Block(nn.Module):
    """Depthwise convolution, LayerNorm, a two-layer perceptron, layer scale; residual (figure 4).

    >>> Block(8, drop=0.1)(torch.zeros(2, 8, 5, 9)).shape
    torch.Size([2, 8, 5, 9])
    """

    def __init__(self, channels: int, drop: float, gelu: Gelu = "exact"):
        super().__init__()
        padding = KERNEL // 2
        self.depthwise = nn.Conv2d(channels, channels, KERNEL, padding=padding, groups=channels)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(channels, eps=EPSILON),
            nn.Linear(channels, EXPANSION * channels),
            nn.GELU("tanh" if gelu == "tanh" else "none"),
            nn.Linear(EXPANSION * channels, channels),
        )
        self.scale = nn.Parameter(torch.full((channels,), LAYER_SCALE))
        self.drop = StochasticDepth(drop)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `hidden` plus its branch.

        Shape: (B, C, H, W) → (B, C, H, W)
        """
        # The perceptron is two Linears over the last axis: in channels_last moving the channels
        # there costs nothing.
        channels_last = self.depthwise(hidden).permute(0, 2, 3, 1)
        branch = self.scale * self.perceptron(channels_last)
        out: Tensor = hidden + self.drop(branch.permute(0, 3, 1, 2))
        return out


class Patches(nn.Module):
    """A convolution whose kernel is its stride; the last patch of each axis is padded with zeros.

    Zero is the mean of standardised features. No band or frame is dropped and no clip is too short,
    unless `is_padded` is false: then bands and frames that fill no patch are dropped.

    >>> Patches(1, 8, 4)(torch.zeros(2, 1, 64, 101)).shape
    torch.Size([2, 8, 16, 26])
    """

    def __init__(self, in_channels: int, channels: int, stride: int, is_padded: bool = True):
        super().__init__()
        self.stride, self.is_padded = stride, is_padded
        self.conv = nn.Conv2d(in_channels, channels, stride, stride)

    def forward(self, image: Tensor) -> Tensor:
        """Return one vector per patch.

        Shape: (B, C, H, W) → (B, channels, ⌈H / stride⌉, ⌈W / stride⌉), or the floor if not padded
        """
        height, width = image.shape[-2:]
        padding = (0, -width % self.stride, 0, -height % self.stride)
        is_needed = self.is_padded and any(padding)
        out: Tensor = self.conv(F.pad(image, padding) if is_needed else image)
        return out


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each point of an image.

    >>> ChannelNorm(8)(torch.zeros(2, 8, 5, 9)).shape
    torch.Size([2, 8, 5, 9])
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=EPSILON)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return each point normalised to mean 0 and variance 1, then scaled and shifted.

        Shape: (B, C, H, W) → (B, C, H, W)
        """
        out: Tensor = self.norm(hidden.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out


def _down(in_channels: int, channels: int, is_padded: bool) -> nn.Sequential:
    return nn.Sequential(ChannelNorm(in_channels), Patches(in_channels, channels, 2, is_padded))


def _initialise(module: nn.Module) -> None:
    """Set truncated normal weights and zero biases, as published (appendix A.1)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=WEIGHT_STD)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
