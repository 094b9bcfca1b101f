"""Mean 0 and deviation 1 per channel, with statistics of the training clips.

Legend: N clips, B batch, C channels (or F mel bands), L frames.
"""

import torch
from torch import Tensor, nn

TINY = 1e-5  # below one step of 16-bit audio, and far below the spread of a live mel band


def safe_scale(scale: Tensor) -> Tensor:
    """Scales to divide by: what does not vary is left as it is, not blown up.

    Shape: any → the same

    >>> safe_scale(torch.tensor([2.0, 0.0]))
    tensor([2., 1.])
    """
    return torch.where(scale < TINY, 1.0, scale)


class Standardise(nn.Module):
    """Changes nothing until `fit` gives it statistics; they travel in the `state_dict`.

    Fit it on training clips only: statistics of test clips are a leak.

    Shape: (B, C, L) → (B, C, L)

    >>> Standardise(2)(torch.ones(1, 2, 3)).sum()
    tensor(6.)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_channels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_channels, 1))
        self.register_buffer("std", torch.ones(num_channels, 1))

    @classmethod
    def fit(cls, features: Tensor) -> "Standardise":
        """Statistics over clips and frames; in float64, so that a constant band has deviation 0.

        A channel that is constant in training keeps its scale: should it move in a test clip,
        it moves by that much and no more.

        Shape: features (N, C, L)

        >>> clips = torch.tensor([[[1.0, 3.0], [5.0, 5.0]]])
        >>> Standardise.fit(clips)(clips)
        tensor([[[-1.,  1.],
                 [ 0.,  0.]]])
        """
        moments = [torch.var_mean(band.double(), correction=0) for band in features.unbind(1)]
        fitted = cls(len(moments)).to(features.device)
        fitted.std.copy_(safe_scale(torch.stack([var for var, _ in moments]).sqrt()).unsqueeze(1))
        fitted.mean.copy_(torch.stack([mean for _, mean in moments]).unsqueeze(1))
        return fitted

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std
