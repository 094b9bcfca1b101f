"""Bands evenly spaced on HTK's mel scale: fixed filters, and where learned ones begin.

Legend: F filters, N frequency bins.
"""

import math

import torch
from torch import Tensor


def mel_edges(num_filters: int, f_min: float, f_max: float) -> Tensor:
    """Return the edges of `num_filters` half-overlapping bands from `f_min` to `f_max` (Hz).

    Evenly spaced on HTK's mel scale, 2595·log₁₀(1 + f / 700).

    Band i reaches from edge i to edge i + 2 and is centred at edge i + 1.

    Shape: → (F + 2,) float64, Hz, ascending

    >>> mel_edges(1, 0.0, 8000.0).round()
    tensor([   0., 1768., 8000.], dtype=torch.float64)
    """
    low, high = _mel(torch.tensor([f_min, f_max], dtype=torch.float64))
    steps = torch.linspace(0, 1, num_filters + 2, dtype=torch.float64)
    mel: Tensor = low + (high - low) * steps
    return (10 ** (mel / 2595) - 1) * 700


def _mel(frequencies: Tensor) -> Tensor:
    """Convert Hz to mel.

    Shape: any → the same
    """
    return torch.log10(1 + frequencies / 700) * 2595


def mel_filters(
    num_bins: int, f_min: float, f_max: float, num_filters: int, sample_rate: int
) -> Tensor:
    """Return triangles of height 1 over the bins of a spectrum; the bands are those of `mel_edges`.

    In single precision throughout, which makes them torchaudio's to the bit. A band that holds no
    bin is zero.

    Shape: → (N, F)

    >>> mel_filters(5, 0.0, 8000.0, 1, 16000).T
    tensor([[0.0000, 0.9627, 0.6418, 0.3209, 0.0000]])
    """
    bins = torch.linspace(0, sample_rate // 2, num_bins)
    low, high = (2595 * math.log10(1 + frequency / 700) for frequency in (f_min, f_max))
    edges = 700 * (10 ** (torch.linspace(low, high, num_filters + 2) / 2595) - 1)
    widths, above = edges.diff(), bins[:, None] - edges
    rising, falling = above[:, :-2] / widths[:-1], -above[:, 2:] / widths[1:]
    return torch.minimum(rising, falling).clamp(min=0)
