"""Gabor band-pass filters and Gaussian smoothing whose places and widths are learned.

Legend: B batch, T samples, F filters, W window (samples), L frames.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.audio.features.mel_scale import mel_edges

HALF_MAXIMUM = math.sqrt(2 * math.log(2)) / math.pi
"""σ (samples) × full width at half maximum (cycles a sample) of a Gabor filter's response."""
FAINTEST = -50.0
"""Natural logarithm of the least part of a filter's peak that is kept."""
POOL_WIDTH = 0.4
"""σ of the smoothing before training, in half windows (LEAF, section 3.2)."""


class GaborPower(nn.Module):
    """Squared modulus of complex Gabor filters: a Gaussian of width σ times exp(iηt).

    Before training, filter i is at half its maximum where the square root of mel band i is, so
    that its power follows the band (section 3.1). The centre η stays in [0, π] and the response
    between 1 / W and 1 / 4 cycles a sample wide: outside, a filter would alias or be cut off.

    Shape: (B, T) → (B, F, T)

    >>> GaborPower(40, 401, 16000, 60.0, 7800.0)(torch.zeros(2, 1000)).shape
    torch.Size([2, 40, 1000])
    """

    def __init__(self, num_filters: int, window: int, sample_rate: int, f_min: float, f_max: float):
        super().__init__()
        self.window = window
        edges = mel_edges(num_filters, f_min, f_max) / sample_rate
        # √triangle = 1/2 where the triangle is 1/4: over 3/4 of its base.
        half_maximum = 0.75 * (edges[2:] - edges[:-2])
        self.centre = nn.Parameter((2 * math.pi * edges[1:-1]).float())
        """Radians a sample."""
        self.width = nn.Parameter((HALF_MAXIMUM / half_maximum).float())
        """σ in samples."""

    def filters(self) -> Tensor:
        """Real parts, then imaginary ones; a tone at its centre leaves a filter at amplitude 1/2.

        Shape: → (2 F, W)
        """
        time = torch.arange(self.window, device=self.centre.device) - self.window // 2
        centre = self.centre.clamp(0.0, math.pi)[:, None]
        width = self.width.clamp(4 * HALF_MAXIMUM, self.window * HALF_MAXIMUM)[:, None]
        exponent = -0.5 * (time / width) ** 2
        # Tails that no float32 sum can hear are 0: as denormal numbers they halve a CPU's speed.
        exponent = exponent.masked_fill(exponent < FAINTEST, -math.inf)
        envelope = exponent.exp() / (math.sqrt(2 * math.pi) * width)
        phase = centre * time
        return torch.cat([envelope * phase.cos(), envelope * phase.sin()])

    def forward(self, waves: Tensor) -> Tensor:
        filters = self.filters().unsqueeze(1)
        parts = F.conv1d(waves.unsqueeze(1), filters, padding=self.window // 2)
        real, imaginary = parts.square().chunk(2, dim=1)
        return real + imaginary


class GaussianPool(nn.Module):
    """Every `hop` samples a Gaussian-weighted mean of each channel, of learned width.

    Weights sum to 1, so that constant power keeps its value whatever the width.

    Shape: (B, F, T) → (B, F, L) with L = ⌈T / hop⌉

    >>> GaussianPool(1, 5, 2)(torch.ones(1, 1, 10))[0, 0, 1:-1]
    tensor([1., 1., 1.], grad_fn=<SliceBackward0>)
    """

    def __init__(self, num_filters: int, window: int, hop: int):
        super().__init__()
        self.window, self.hop = window, hop
        self.width = nn.Parameter(torch.full((num_filters,), POOL_WIDTH))
        """σ in half windows; kept in [2 / W, 1/2]."""

    def weights(self) -> Tensor:
        """Shape: → (F, W)."""
        time = torch.linspace(-1, 1, self.window, device=self.width.device)
        width = self.width.clamp(2 / self.window, 0.5)[:, None]
        return torch.softmax(-0.5 * (time / width) ** 2, dim=1)

    def forward(self, power: Tensor) -> Tensor:
        return F.conv1d(
            power,
            self.weights().unsqueeze(1),
            stride=self.hop,
            padding=self.window // 2,
            groups=len(self.width),
        )
