"""Statistics of an encoder's frames, and where a clip's sound ends.

Legend: B batch, T samples, L frames, D width.
"""

import torch
from torch import Tensor

STEP_S = 0.1
"""Seconds to whose multiples a clip's end is rounded up, so that many clips share a batch."""


def statistics(layers: list[Tensor]) -> Tensor:
    """Return mean and maximum over frames of every layer, one after the other.

    Shape: layers of (B, L, D) → (B, sum of 2 · D)

    >>> statistics([torch.tensor([[[1.0], [3.0]]])])
    tensor([[2., 3.]])
    """
    parts = [part for frames in layers for part in (frames.mean(1), frames.amax(1))]
    return torch.cat([part.float() for part in parts], dim=1)


def sound_lengths(waveforms: Tensor, sample_rate: int) -> Tensor:
    """Return the samples until each clip's end, rounded up to `STEP_S`; silence has one step.

    Zeros at the end are the padding of clips that are shorter than the window: an encoder that
    hears them answers otherwise, most of all one that attends to every frame.

    Shape: (B, T) → (B,) int64

    >>> sound_lengths(torch.tensor([[0.5, 0.0, 0.0, 0.0], [0.1, 0.0, 0.2, 0.0]]), 10).tolist()
    [1, 3]
    """
    step, most = max(1, round(STEP_S * sample_rate)), waveforms.shape[1]
    places = torch.arange(1, most + 1, device=waveforms.device)
    last = (places * (waveforms != 0)).amax(dim=1)
    steps = torch.div(last + step - 1, step, rounding_mode="floor").clamp(min=1)
    return (steps * step).clamp(max=most)
