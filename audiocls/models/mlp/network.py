"""A perceptron with one hidden layer.

Legend: B batch, C channels, L frames, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.models.linear.network import mean_over_frames


class MLP(nn.Module):
    """The mean over frames, Linear, GELU, dropout, Linear.

    >>> MLP(768, 10, width=32)(torch.zeros(2, 768, 1)).shape
    torch.Size([2, 10])
    """

    def __init__(self, in_channels: int, num_classes: int, width: int = 256, dropout: float = 0.1):
        super().__init__()
        self.hidden = nn.Linear(in_channels, width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits. Shape: (B, C, L) → (B, K)"""
        hidden = F.gelu(self.hidden(mean_over_frames(features)))
        return torch.as_tensor(self.head(self.dropout(hidden)))
