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
        return torch.as_tensor(self.head(self.dropout(mean_over_frames(features))))


def mean_over_frames(features: Tensor) -> Tensor:
    """Return the mean over frames; of one frame, which a cached clip has, without computing it.

    Shape: (B, C, L) → (B, C)

    >>> mean_over_frames(torch.tensor([[[1.0, 3.0]]])), mean_over_frames(torch.tensor([[[3.0]]]))
    (tensor([[2.]]), tensor([[3.]]))
    """
    return features[:, :, 0] if features.shape[2] == 1 else features.mean(2)
