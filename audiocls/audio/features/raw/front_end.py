"""The waveform as a one-channel feature.

Legend: B batch, T samples.
"""

from torch import Tensor, nn


class Raw(nn.Module):
    """Pass waveforms through unchanged, or through one BatchNorm trained with the model.

    Shape: (B, T) → (B, 1, T)

    >>> import torch
    >>> Raw()(torch.tensor([[0.0, 0.25, -0.5]]))
    tensor([[[ 0.0000,  0.2500, -0.5000]]])
    """

    def __init__(self, has_batch_norm: bool = False):
        super().__init__()
        self.batch_norm = nn.BatchNorm1d(1) if has_batch_norm else nn.Identity()

    def forward(self, waveforms: Tensor) -> Tensor:
        features: Tensor = self.batch_norm(waveforms.unsqueeze(1))
        return features
