"""Normalisation: each clip's level, and features to mean 0 and deviation 1 per channel.

Legend: N clips, B batch, C channels (or F mel bands), L frames, T samples.
"""

import functools
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from audiocls.audio.augment.clip_rng import has_float64

TINY = 1e-5  # below one step of 16-bit audio, and far below the spread of a live mel band


def safe_scale(scale: Tensor) -> Tensor:
    """Return scales that are safe to divide by: 1 for any below `TINY`, so a constant stays one.

    Shape: any → the same

    >>> safe_scale(torch.tensor([2.0, 0.0]))
    tensor([2., 1.])
    """
    return torch.where(scale < TINY, 1.0, scale)


def standardise(features: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Shift and scale to mean 0 and deviation 1 over `dims`; constant values become exactly 0.

    Shape: (B, C, L) → (B, C, L)

    >>> standardise(torch.tensor([[[1.0, 3.0], [5.0, 5.0]]]), dims=(2,))
    tensor([[[-1.,  1.],
             [ 0.,  0.]]])
    """
    # The mean of a constant has to be the constant: a rounding error here would be divided by a
    # deviation that is a rounding error too.
    mean = _mean(features, dims)
    deviation = features.std(dim=dims, correction=0, keepdim=True)
    return (features - mean) / safe_scale(deviation)


def _mean(features: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return the mean over `dims`; of a constant it is the constant.

    Shape: (B, C, L) → the same, with axes of 1 for `dims`
    """
    if has_float64(features.device):
        return features.double().mean(dim=dims, keepdim=True).float()
    mean = features.mean(dim=dims, keepdim=True)
    return mean + (features - mean).mean(dim=dims, keepdim=True)  # what the first one rounded away


class NormaliseWaveform(nn.Module):
    """Set each clip's level: none, abs_max (to `peak`, full scale 1), or standard.

    Standard is mean 0 and deviation 1. Silence stays zero. Not for use after augmentation: it
    would undo a random gain.

    Shape: (…, T) → the same

    >>> import torch
    >>> NormaliseWaveform("abs_max")(torch.tensor([[0.0, 0.25, -0.5], [0.0, 0.0, 0.0]]))
    tensor([[ 0.0000,  0.5000, -1.0000],
            [ 0.0000,  0.0000,  0.0000]])
    """

    def __init__(self, how: Literal["none", "abs_max", "standard"], peak: float = 1.0):
        super().__init__()
        self.how, self.peak = how, peak

    def forward(self, waveforms: Tensor) -> Tensor:
        if self.how == "abs_max":
            return self.peak * waveforms / safe_scale(waveforms.abs().amax(dim=-1, keepdim=True))
        if self.how == "standard":
            deviation = waveforms.std(dim=-1, correction=0, keepdim=True)
            return (waveforms - waveforms.mean(dim=-1, keepdim=True)) / safe_scale(deviation)
        return waveforms


class Standardise(nn.Module):
    """Standardise channels by the statistics of a data set; the identity until `fit`.

    Fit it on training clips only: statistics of test clips are a leak. They are buffers, and so
    part of the `state_dict`.

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
        """Return a module with the statistics per channel over all clips and frames.

        Computed portion by portion, so that a data set need not fit into memory; in float64 and
        merged pairwise (Chan, Golub and LeVeque, 1983), so that a constant channel has deviation
        exactly 0. Such a channel keeps its scale (see `safe_scale`).

        Shape: portions of features (N, C, L), at least one

        >>> clips = torch.tensor([[[1.0, 3.0], [5.0, 5.0]]])
        >>> Standardise.fit([clips])(clips)
        tensor([[[-1.,  1.],
                 [ 0.,  0.]]])
        """
        count, mean, squares = functools.reduce(_merge, map(_moments, portions))
        fitted = cls(len(mean)).to(mean.device)
        fitted.std.copy_(safe_scale((squares / count).sqrt()).unsqueeze(1))
        fitted.mean.copy_(mean.unsqueeze(1))
        return fitted

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std


Moments = tuple[int, Tensor, Tensor]
"""Number of values, their mean (C,) and the sum of squared deviations from it (C,)."""


def _moments(features: Tensor) -> Moments:
    """Compute the moments of each channel. Shape: (N, C, L) → count, (C,), (C,)"""
    features = features if has_float64(features.device) else features.cpu()
    count = features.shape[0] * features.shape[2]
    pairs = [torch.var_mean(band.double(), correction=0) for band in features.unbind(1)]
    return count, torch.stack([m for _, m in pairs]), torch.stack([v for v, _ in pairs]) * count


def _merge(one: Moments, other: Moments) -> Moments:
    """Combine the moments of two sets. Shape: count, (C,), (C,), twice → count, (C,), (C,)"""
    count = one[0] + other[0]
    apart = other[1] - one[1]
    mean = one[1] + apart * (other[0] / count)
    return count, mean, one[2] + other[2] + apart**2 * (one[0] * other[0] / count)
