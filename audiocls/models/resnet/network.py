"""ResNet over images of one channel (He et al., 2016, arXiv 1512.03385, table 1).

Notable:
- one input channel, the features, of any height and width;
- the last BatchNorm scale of each block starts at 0 (Goyal et al., 2017, arXiv 1706.02677,
  section 5.1);
- shortcuts are projected where the shape changes (the paper's option B);
- bottlenecks stride in their 3 × 3 convolution;
- optional dropout before the Linear.

Legend: B batch, C channels, F mel bands, L frames, K classes. H height and W width are what is
left of bands and frames inside.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.models.image import as_image
from audiocls.models.padding import Padding, conv2d, max_pool2d

BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
    "resnet200": (3, 24, 36, 3),
}
"""Blocks of each stage."""
BASIC = ("resnet18", "resnet34")
"""Names of networks of basic blocks; the others have bottlenecks."""
WIDENING = 4
"""Channels that leave a bottleneck for each one inside."""
Pool = Literal["mean", "mean_max"]
"""The mean over bands and frames, or its sum with the maximum (Kong et al., 2020, PANNs, arXiv
1912.10211, section IV-A)."""


class ResNet(nn.Module):
    """Strided stem and pool, four stages of blocks, a pool over the image, one Linear.

    >>> import torch
    >>> ResNet(5, (1, 1, 1, 1), width=8)(torch.zeros(2, 64, 101)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        num_classes: int,
        blocks: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        dropout: float = 0.0,
        is_basic: bool = True,
        padding: Padding = "symmetric",
        pool: Pool = "mean",
    ):
        super().__init__()
        self.pool = pool
        stem_pool = max_pool2d(3, 2, padding)
        # The stem is padded by 3 at both ends under either padding, as in both sources.
        self.stem = nn.Sequential(*_normed(1, width, 7, 2), nn.ReLU(inplace=True), stem_pool)
        self.stages = nn.Sequential()
        in_channels = width
        block = Block if is_basic else Bottleneck
        for stage, num_blocks in enumerate(blocks):
            inner, stride = width * 2**stage, 1 if stage == 0 else 2
            channels = inner if is_basic else WIDENING * inner
            later = (block(channels, channels) for _ in range(num_blocks - 1))
            first = block(in_channels, channels, stride, padding)
            self.stages.append(nn.Sequential(first, *later))
            in_channels = channels
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(in_channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits.

        Shape: (B, F, L) → (B, K) for any F and L of at least 1
        """
        hidden = self.stages(self.stem(as_image(features)))
        embedding = hidden.mean(dim=(2, 3))
        if self.pool == "mean_max":
            embedding = embedding + hidden.amax(dim=(2, 3))
        logits: Tensor = self.head(self.dropout(embedding))
        return logits


class Block(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut, which is projected where the shape changes.

    The branch starts at zero, by the scale of its last BatchNorm.

    >>> import torch
    >>> Block(4, 8, stride=2)(torch.zeros(2, 4, 9, 16)).shape
    torch.Size([2, 8, 5, 8])
    """

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, padding: Padding = "symmetric"
    ):
        super().__init__()
        self.branch = nn.Sequential(
            *_normed(in_channels, channels, 3, stride, padding=padding),
            nn.ReLU(inplace=True),
            *_normed(channels, channels, 3, scale=0.0),
        )
        self.shortcut = _shortcut(in_channels, channels, stride)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the rectified sum of branch and shortcut.

        Shape: (B, C, H, W) → (B, channels, ⌈H / stride⌉, ⌈W / stride⌉)
        """
        return F.relu(self.branch(hidden) + self.shortcut(hidden), inplace=True)


class Bottleneck(nn.Module):
    """A 3 × 3 convolution of a quarter of the channels between two 1 × 1, beside a shortcut.

    The branch starts at zero, by the scale of its last BatchNorm.

    >>> import torch
    >>> Bottleneck(4, 8, stride=2)(torch.zeros(2, 4, 9, 16)).shape
    torch.Size([2, 8, 5, 8])
    """

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, padding: Padding = "symmetric"
    ):
        super().__init__()
        inner = channels // WIDENING
        self.branch = nn.Sequential(
            *_normed(in_channels, inner, 1),
            nn.ReLU(inplace=True),
            *_normed(inner, inner, 3, stride, padding=padding),
            nn.ReLU(inplace=True),
            *_normed(inner, channels, 1, scale=0.0),
        )
        self.shortcut = _shortcut(in_channels, channels, stride)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the rectified sum of branch and shortcut.

        Shape: (B, C, H, W) → (B, channels, ⌈H / stride⌉, ⌈W / stride⌉)
        """
        return F.relu(self.branch(hidden) + self.shortcut(hidden), inplace=True)


def _shortcut(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    """Return the identity, or a projection where the shape changes."""
    if stride == 1 and in_channels == channels:
        return nn.Sequential()
    return nn.Sequential(*_normed(in_channels, channels, 1, stride))


def _normed(
    in_channels: int,
    channels: int,
    kernel: int,
    stride: int = 1,
    scale: float = 1.0,
    padding: Padding = "symmetric",
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return a convolution without bias, which BatchNorm would subtract again, and BatchNorm."""
    conv = conv2d(in_channels, channels, kernel, stride, 1, padding)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    norm = nn.BatchNorm2d(channels)
    nn.init.constant_(norm.weight, scale)
    return conv, norm
