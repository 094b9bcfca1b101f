"""ConvNeXt along time (block: Liu et al., 2022, arXiv 2201.03545, figure 4).

Notable, and different from the paper:
- one dimension: depthwise kernels of 49 frames instead of 7 × 7 pixels;
- GroupNorm with one group, over channels and frames of a clip, instead of LayerNorm of each
  position, and none before the head;
- no layer scale; dropout of values and of whole channels at the end of each block;
- every stage, the first included, begins with a strided convolution (followed, not preceded, by
  its norm) that doubles the width;
- weights start as torch's defaults, not as truncated normals.

Legend: B batch, C channels, L frames, K classes.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from audiocls.models.image import in_channels_last
from audiocls.models.stochastic_depth import StochasticDepth, linear_in_depth


class ConvNeXt1d(nn.Module):
    """Stem patches, stages that stride and double the width, the mean over time, one Linear.

    >>> import torch
    >>> model = ConvNeXt1d(1, 5, stem_width=8, strides=(4, 4), kernel=9)
    >>> model(torch.zeros(2, 1, 1000)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        stem_width: int = 64,
        stem_stride: int = 16,
        strides: Sequence[int] = (4, 4, 4, 4),
        blocks: int = 3,
        kernel: int = 49,
        dropout: float = 0.0,
        expansion: int = 4,
        stochastic_depth: float = 0.0,
    ):
        super().__init__()
        self.stem = _patches(in_channels, stem_width, stem_stride)
        self.stages = nn.Sequential()
        drops = iter(linear_in_depth(stochastic_depth, blocks * len(strides)))
        width = stem_width
        for stride in strides:
            tower = (
                Block(2 * width, kernel, dropout, expansion, next(drops)) for _ in range(blocks)
            )
            self.stages.append(nn.Sequential(_patches(width, 2 * width, stride), *tower))
            width *= 2
        self.head = nn.Linear(width, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits.

        Shape: (B, C, L) → (B, K) for any L of at least the product of all strides
        """
        # Two-dimensional convolutions of height 1 in channels_last are 1.4 times as fast as Conv1d
        # on one CPU thread for small models, and as fast for large ones.
        image = in_channels_last(features.unsqueeze(2))
        hidden = self.stages(self.stem(image))
        # The mean over time and a 1 × 1 convolution commute: the head computes one frame, not L.
        logits: Tensor = self.head(hidden.mean(dim=(2, 3)))
        return logits


class Block(nn.Module):
    """Depthwise convolution, GroupNorm(1), a two-layer perceptron, dropouts; residual.

    >>> import torch
    >>> Block(8, kernel=9, dropout=0.1, expansion=4)(torch.zeros(2, 8, 1, 50)).shape
    torch.Size([2, 8, 1, 50])
    """

    def __init__(
        self, channels: int, kernel: int, dropout: float, expansion: int, drop: float = 0.0
    ):
        super().__init__()
        size, padding = (1, kernel), (0, kernel // 2)
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, size, padding=padding, groups=channels),
            nn.GroupNorm(1, channels),
            nn.Conv2d(channels, expansion * channels, 1),
            nn.GELU(),
            nn.Conv2d(expansion * channels, channels, 1),
            nn.Dropout(dropout),
            nn.Dropout2d(dropout),  # of whole channels: at height 1 this is Dropout1d
            StochasticDepth(drop),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `hidden` plus its branch.

        Shape: (B, C, 1, L) → (B, C, 1, L)
        """
        out: Tensor = hidden + self.branch(hidden)
        return out


def _patches(in_channels: int, channels: int, stride: int) -> nn.Module:
    """Return a convolution whose kernel is its stride, and its norm.

    Frames at the end that fill no patch are dropped.
    """
    size = (1, stride)
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, size, stride=size), nn.GroupNorm(1, channels)
    )
