"""Frequencies evenly spaced on the mel scale: the initial bands of learned filters.

Legend: F filters.
"""

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
