"""ResNet over images of one channel (He et al., 2016, arXiv 1512.03385, table 1).

Notable:
- one input channel, the features, of any height and width;
- the last BatchNorm scale of each block starts at 0 (Goyal et al., 2017, arXiv 1706.02677,
  section 5.1);
- shortcuts are projected where the shape changes (the paper's option B);
- optional dropout before the Linear.

Legend: B batch, C channels, F mel bands, L frames, K classes. H height and W width are what is
left of bands and frames inside.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.models.image import as_image

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
"""Blocks of each stage."""


class ResNet(nn.Module):
    """Strided stem and pool, four stages of basic blocks, the mean of the image, one Linear.

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
    ):
        super().__init__()
        self.stem = nn.Sequential(
            *_normed(1, width, 7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)
        )
        self.stages = nn.Sequential()
        in_channels = width
        for stage, num_blocks in enumerate(blocks):
            channels, stride = width * 2**stage, 1 if stage == 0 else 2
            later = (Block(channels, channels) for _ in range(num_blocks - 1))
            self.stages.append(nn.Sequential(Block(in_channels, channels, stride), *later))
            in_channels = channels
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(in_channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits.

        Shape: (B, F, L) → (B, K) for any F and L of at least 1
        """
        hidden = self.stages(self.stem(as_image(features)))
        logits: Tensor = self.head(self.dropout(hidden.mean(dim=(2, 3))))
        return logits


class Block(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut, which is projected where the shape changes.

    The branch starts at zero, by the scale of its last BatchNorm.

    >>> import torch
    >>> Block(4, 8, stride=2)(torch.zeros(2, 4, 9, 16)).shape
    torch.Size([2, 8, 5, 8])
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        self.branch = nn.Sequential(
            *_normed(in_channels, channels, 3, stride),
            nn.ReLU(inplace=True),
            *_normed(channels, channels, 3, scale=0.0),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(*_normed(in_channels, channels, 1, stride))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the rectified sum of branch and shortcut.

        Shape: (B, C, H, W) → (B, channels, ⌈H / stride⌉, ⌈W / stride⌉)
        """
        return F.relu(self.branch(hidden) + self.shortcut(hidden), inplace=True)


def _normed(
    in_channels: int, channels: int, kernel: int, stride: int = 1, scale: float = 1.0
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return a convolution without bias, which BatchNorm would subtract again, and BatchNorm."""
    conv = nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    norm = nn.BatchNorm2d(channels)
    nn.init.constant_(norm.weight, scale)
    return conv, norm
