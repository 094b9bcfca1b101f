"""The level of each clip's wave, set before anything else is done to it.

Legend: B batch, T samples.
"""

from typing import Literal

from torch import Tensor, nn

from audiocls.audio.features.standardise import safe_scale


class NormaliseWave(nn.Module):
    """Each clip alone: unchanged, to a peak of `peak`, or to mean 0 and deviation 1.

    Silence stays zero. Not after augmentation: a random gain would be taken back.

    Shape: (…, T) → the same

    >>> import torch
    >>> NormaliseWave("abs_max")(torch.tensor([[0.0, 0.25, -0.5], [0.0, 0.0, 0.0]]))
    tensor([[ 0.0000,  0.5000, -1.0000],
            [ 0.0000,  0.0000,  0.0000]])
    """

    def __init__(self, how: Literal["none", "abs_max", "standard"], peak: float = 1.0):
        super().__init__()
        self.how, self.peak = how, peak

    def forward(self, waves: Tensor) -> Tensor:
        if self.how == "abs_max":
            return self.peak * waves / safe_scale(waves.abs().amax(dim=-1, keepdim=True))
        if self.how == "standard":
            deviation = waves.std(dim=-1, correction=0, keepdim=True)
            return (waves - waves.mean(dim=-1, keepdim=True)) / safe_scale(deviation)
        return waves
