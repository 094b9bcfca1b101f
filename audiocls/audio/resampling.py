"""Resampling by any ratio of whole numbers, band-limited.

Legend: B batch, T samples, P output samples per period, S input samples per period, W filter taps.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

ZERO_CROSSINGS = 6
"""Of the sinc on each side of its peak, where the window ends."""
ROLLOFF = 0.99
"""The cut-off, as a share of half the lower of the two rates."""


def resample_by_ratio(waveforms: Tensor, old: int, new: int) -> Tensor:
    """Resample from a rate of `old` to one of `new`, in any unit, by Hann-windowed sincs.

    Smith, "Digital Audio Resampling" (2002), with torchaudio's defaults and its results to the bit.
    That includes the length, which is rounded in single precision: beyond 2¹⁶ samples the last one
    may be missing. There is a filter per phase, P in all: those of rates without a common divisor
    take gigabytes.

    Shape: (…, T) → (…, ⌈T · new / old⌉)

    >>> resample_by_ratio(torch.ones(1000), 44100, 16000).shape
    torch.Size([363])
    """
    divisor = math.gcd(old, new)
    step, phases = old // divisor, new // divisor
    if step == phases:
        return waveforms
    kernels = _kernels(step, phases, waveforms)
    reach = (kernels.shape[-1] - step) // 2
    flat = F.pad(waveforms.reshape(-1, 1, waveforms.shape[-1]), (reach, reach + step))
    # One convolution gives all phases of a period; periods follow one another at `step` samples.
    periods = F.conv1d(flat, kernels, stride=step)
    num_samples = torch.tensor(phases * waveforms.shape[-1] / step).ceil().long()
    samples = periods.transpose(1, 2).flatten(1)[:, :num_samples]
    return samples.reshape(*waveforms.shape[:-1], samples.shape[-1])


def _kernels(step: int, phases: int, like: Tensor) -> Tensor:
    """Return a filter for each output sample of a period, with the type and device of `like`.

    Shape: → (P, 1, W) with W = S + 2 · reach
    """
    cutoff = min(step, phases) * ROLLOFF
    reach = math.ceil(ZERO_CROSSINGS * step / cutoff)
    taps = torch.arange(-reach, step + reach, dtype=like.dtype, device=like.device) / step
    outputs = torch.arange(phases, dtype=like.dtype, device=like.device) / phases
    # Distances of inputs from outputs, in zero crossings of the sinc.
    distances = (taps - outputs[:, None, None]) * cutoff
    distances = distances.clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(distances * math.pi / ZERO_CROSSINGS / 2).square()
    angles = distances * math.pi
    sincs = torch.where(angles == 0, torch.ones_like(angles), angles.sin() / angles)
    return sincs * (window * (cutoff / step))
