"""Mean 0 and deviation 1 per channel, with statistics of the training clips.

Legend: N clips, B batch, C channels (or F mel bands), L frames.
"""

import functools
from collections.abc import Iterable

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


def standardised(features: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Mean 0 and deviation 1 over `dims` of each clip; what does not vary becomes exactly 0.

    The mean is taken in float64: that of a constant is then the constant.

    Shape: (B, C, L) → (B, C, L)

    >>> standardised(torch.tensor([[[1.0, 3.0], [5.0, 5.0]]]), dims=(2,))
    tensor([[[-1.,  1.],
             [ 0.,  0.]]])
    """
    mean = features.double().mean(dim=dims, keepdim=True).float()
    deviation = features.std(dim=dims, correction=0, keepdim=True)
    return (features - mean) / safe_scale(deviation)


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
    def fit(cls, portions: Iterable[Tensor]) -> "Standardise":
        """Statistics over clips and frames, portion by portion, so that any data set fits.

        In float64 and merged pairwise (Chan et al., 1983), so that a constant band has deviation
        0. A channel that is constant in training keeps its scale: should it move in a test clip,
        it moves by that much and no more.

        Shape: portions of features (N, C, L), at least one

        >>> clips = torch.tensor([[[1.0, 3.0], [5.0, 5.0]]])
        >>> Standardise.fit([clips])(clips)
        tensor([[[-1.,  1.],
                 [ 0.,  0.]]])
        """
        count, mean, squares = functools.reduce(_merged, map(_moments, portions))
        fitted = cls(len(mean)).to(mean.device)
        fitted.std.copy_(safe_scale((squares / count).sqrt()).unsqueeze(1))
        fitted.mean.copy_(mean.unsqueeze(1))
        return fitted

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std


Moments = tuple[int, Tensor, Tensor]
"""Number of values, their mean (C,) and the sum of squared deviations from it (C,)."""


def _moments(features: Tensor) -> Moments:
    count = features.shape[0] * features.shape[2]
    pairs = [torch.var_mean(band.double(), correction=0) for band in features.unbind(1)]
    return count, torch.stack([m for _, m in pairs]), torch.stack([v for v, _ in pairs]) * count


def _merged(one: Moments, other: Moments) -> Moments:
    count = one[0] + other[0]
    apart = other[1] - one[1]
    mean = one[1] + apart * (other[0] / count)
    return count, mean, one[2] + other[2] + apart**2 * (one[0] * other[0] / count)
