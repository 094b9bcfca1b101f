"""A linear probe.

Legend: B batch, C channels, L frames, K classes.
"""

import torch
from torch import Tensor, nn


class Linear(nn.Module):
    """The mean over frames, dropout, one Linear.

    >>> Linear(768, 10)(torch.zeros(2, 768, 1)).shape
    torch.Size([2, 10])
    """

    def __init__(self, in_channels: int, num_classes: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(in_channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits. Shape: (B, C, L) → (B, K)"""
        return torch.as_tensor(self.head(self.dropout(features.mean(2))))
