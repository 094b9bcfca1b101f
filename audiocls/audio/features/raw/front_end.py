"""The waveform as a one-channel feature, normalised per clip.

Legend: B batch, T samples.
"""

from typing import Literal

from torch import Tensor, nn

from audiocls.audio.features.standardise import safe_scale


class Raw(nn.Module):
    """Each clip alone: unchanged, to a peak of 1, or to mean 0 and deviation 1; silence stays 0.

    Shape: (B, T) → (B, 1, T)

    >>> import torch
    >>> Raw("abs_max")(torch.tensor([[0.0, 0.25, -0.5], [0.0, 0.0, 0.0]])).squeeze(1)
    tensor([[ 0.0000,  0.5000, -1.0000],
            [ 0.0000,  0.0000,  0.0000]])
    """

    def __init__(self, normalise: Literal["none", "abs_max", "standard"] = "none"):
        super().__init__()
        self.normalise = normalise

    def forward(self, waves: Tensor) -> Tensor:
        if self.normalise == "abs_max":
            waves = waves / safe_scale(waves.abs().amax(dim=-1, keepdim=True))
        elif self.normalise == "standard":
            deviation = waves.std(dim=-1, correction=0, keepdim=True)
            waves = (waves - waves.mean(dim=-1, keepdim=True)) / safe_scale(deviation)
        return waves.unsqueeze(1)
