"""1-D CNN over mel bands, small enough for keyword spotting and small data.

Notable:
- mel bands are input channels, so the first convolution combines all of them;
- the embedding is mean plus maximum over time (Kong et al., 2020, PANNs, arXiv 1912.10211,
  section IV-A);
- ReLU after the max-pool instead of before it.

Legend: B batch, F mel bands (input channels), C channels, L frames, K classes.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from audiocls.models.image import in_channels_last


class LogMelCNN(nn.Module):
    """Four × (conv, BatchNorm, max-pool, ReLU), mean plus maximum over time, dropout, one Linear.

    >>> import torch
    >>> LogMelCNN(64, 10)(torch.zeros(2, 64, 101)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        channels: Sequence[int] = (64, 64, 96, 96),
        kernel: int = 3,
        pool: int = 3,
        dropout: float = 0.0,
        groups: int = 1,
    ):
        super().__init__()
        widths = pairwise((in_channels, *channels))
        self.blocks = nn.Sequential(*(_block(*pair, kernel, pool, groups) for pair in widths))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels[-1], num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits.

        Shape: (B, F, L) → (B, K) for any L of at least 1
        """
        # Two-dimensional convolutions of height 1 in channels_last are 1.4 times as fast as Conv1d
        # on one CPU thread, forward and backward.
        image = in_channels_last(features.unsqueeze(2))
        frames = self.blocks(image)
        # The maximum responds to a short event in a long clip, the mean to a texture.
        embedding = frames.mean(dim=(2, 3)) + frames.amax(dim=(2, 3))
        logits: Tensor = self.head(self.dropout(embedding))
        return logits


def _block(in_channels: int, channels: int, kernel: int, pool: int, groups: int) -> nn.Module:
    """Return one block; its convolution has no bias, which BatchNorm would subtract again."""
    size, padding = (1, kernel), (0, kernel // 2)
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, size, padding=padding, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.MaxPool2d((1, pool), ceil_mode=True),
        nn.ReLU(),  # commutes with the max-pool, and has fewer frames to work on after it
    )
