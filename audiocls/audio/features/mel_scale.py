"""Frequencies that are even steps apart to the ear: where learned filters start.

Legend: F filters.
"""

import torch
from torch import Tensor


def mel_edges(num_filters: int, f_min: float, f_max: float) -> Tensor:
    """Edges (Hz, float64) of `num_filters` half-overlapping bands, even on HTK's mel scale.

    Band i reaches from edge i to edge i + 2 and is centred at edge i + 1.

    Shape: → (F + 2,)

    >>> mel_edges(1, 0.0, 8000.0).round()
    tensor([   0., 1768., 8000.], dtype=torch.float64)
    """
    low, high = _mel(torch.tensor([f_min, f_max], dtype=torch.float64))
    steps = torch.linspace(0, 1, num_filters + 2, dtype=torch.float64)
    mel: Tensor = low + (high - low) * steps
    return (10 ** (mel / 2595) - 1) * 700


def _mel(frequencies: Tensor) -> Tensor:
    return torch.log10(1 + frequencies / 700) * 2595
