"""Attention over frames, or over an encoder's layers.

Legend: B batch, C channels, M layers, L frames, K classes.
"""

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """A weighted sum over layers, one over frames, dropout, one Linear.

    All weights are equal at first: the untrained network hears the mean.

    >>> Attention(768, 10)(torch.zeros(2, 768, 13)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        width: int = 128,
        layers: int = 1,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.layers = nn.Parameter(torch.zeros(layers), requires_grad=layers > 1)
        self.hidden = nn.Linear(in_channels, width)
        self.score = nn.Linear(width, 1, bias=False)  # which a softmax would cancel
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(in_channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits. Shape: (B, C, M · L) → (B, K)"""
        by_layer = features.reshape(*features.shape[:2], len(self.layers), -1)
        frames = torch.einsum("bcml,m->blc", by_layer, self.layers.softmax(0))
        weights = self.score(torch.tanh(self.hidden(frames))).softmax(dim=1)
        return torch.as_tensor(self.head(self.dropout((weights * frames).sum(1))))
