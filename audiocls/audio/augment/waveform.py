"""Deterministic waveform transforms in the time domain: shift, roll, segments, levels, μ-law.

The caller draws random parameters (`clip_rng.ClipRNG`).

Legend: B batch, T samples, S samples of a segment or of a longer waveform.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def windows(waveforms: Tensor, starts: Tensor, num_samples: int) -> Tensor:
    """Take `num_samples` of each waveform from its own start.

    Shape: waveforms (B, S), starts (B,) in 0 … S - T → (B, T)

    >>> windows(torch.arange(5.0).expand(2, 5), torch.tensor([0, 3]), 2)
    tensor([[0., 1.],
            [3., 4.]])
    """
    # A strided view indexed by row and start: `gather` would need an index for every sample.
    rows = torch.arange(len(waveforms), device=waveforms.device)
    return waveforms.unfold(1, num_samples, 1)[rows, starts]


def time_shift(waveforms: Tensor, shifts: Tensor, bound: int) -> Tensor:
    """Shift later by `shifts` samples (earlier if negative), zero-padded.

    Shape: waveforms (B, T), shifts (B,) in ±`bound` → (B, T)

    >>> time_shift(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([-1]), bound=2)
    tensor([[2., 3., 0.]])
    """
    return windows(pad(waveforms, (bound, bound)), bound - shifts, waveforms.shape[1])


def roll(waveforms: Tensor, shifts: Tensor) -> Tensor:
    """Shift later by `shifts` samples, circularly: the end comes back at the beginning.

    Shape: waveforms (B, T), shifts (B,) of either sign → (B, T)

    >>> roll(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([1]))
    tensor([[3., 1., 2.]])
    """
    num_samples = waveforms.shape[1]
    return windows(torch.cat([waveforms, waveforms], dim=1), -shifts % num_samples, num_samples)


def segment_indices(starts: Tensor, length: int) -> Tensor:
    """Return the indices of `length` samples from each start, for `gather` and `scatter`.

    Shape: starts (B, 1) → (B, S)

    >>> segment_indices(torch.tensor([[4], [0]]), 3)
    tensor([[4, 5, 6],
            [0, 1, 2]])
    """
    return starts + torch.arange(length, device=starts.device)


def rms(waveforms: Tensor) -> Tensor:
    """Compute the root mean square, the level that signal-to-noise ratios compare.

    Shape: (B, T) → (B, 1)

    >>> rms(torch.tensor([[3.0, -3.0]]))
    tensor([[3.]])
    """
    norms: Tensor = torch.linalg.vector_norm(waveforms, dim=1, keepdim=True)
    return norms / math.sqrt(waveforms.shape[1])


def ratio_or_zero(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide two levels; the ratio is 0 where the denominator is 0 (silence).

    Shape: (B, 1), (B, 1) → (B, 1)

    >>> ratio_or_zero(torch.tensor([[3.0], [3.0]]), torch.tensor([[2.0], [0.0]]))
    tensor([[1.5000],
            [0.0000]])
    """
    # The denominator is masked too: `where` alone would still compute NaN, and its gradient.
    is_silent = denominator == 0
    return torch.where(is_silent, 0.0, numerator / denominator.masked_fill(is_silent, 1.0))


def mu_law_round_trip(waveforms: Tensor, levels: int = 256) -> Tensor:
    """Quantise to `levels` steps of the μ-law curve (that of ITU-T G.711) and expand again.

    Steps are finer near 0; samples beyond ±1 are clipped. With an even number of levels 0
    is none of them: silence becomes the nearest, 86e-6 of full scale at 256 levels.

    Shape: (B, T) → (B, T) in ±1

    >>> mu_law_round_trip(torch.tensor([[-1.0, 0.0, 1.0]]))
    tensor([[-1.0000e+00,  8.6213e-05,  1.0000e+00]])
    """
    mu = levels - 1.0
    compressed = (
        waveforms.sign() * torch.log1p(mu * waveforms.abs().clamp(max=1.0)) / math.log1p(mu)
    )
    steps = ((compressed + 1) / 2 * mu + 0.5).floor() / mu * 2 - 1
    return steps.sign() * torch.expm1(steps.abs() * math.log1p(mu)) / mu
