"""A model. Legend: B batch, C channels, L frames, K classes."""

from torch import Tensor, nn


class TinyCNN(nn.Module):
    """Two convolutions over frames, a mean, one Linear: (B, C, L) → (B, K)."""

    def __init__(self, in_channels: int, num_classes: int, width: int = 16, kernel: int = 3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(in_channels, width, kernel, padding=kernel // 2),
            nn.BatchNorm1d(width),
            nn.GELU(),
            nn.Conv1d(width, width, kernel, padding=kernel // 2),
            nn.GELU(),
        )
        self.head = nn.Linear(width, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.layers(features).mean(2))
