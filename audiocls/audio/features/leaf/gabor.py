"""Gabor band-pass filters and Gaussian smoothing whose centres and widths are learned.

Legend: B batch, T samples, F filters, W window (samples), L frames.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.audio.features.mel_scale import mel_edges, mel_filters

HALF_MAXIMUM = math.sqrt(2 * math.log(2)) / math.pi
"""σ (samples) × full width at half maximum (cycles per sample) of a Gabor filter's response."""
FAINTEST = -50.0
"""Natural logarithm of the smallest part of a filter's peak that is kept."""
N_FFT = 512
"""Samples of the spectrum on whose bins the authors' code finds the first filters."""
POOL_WIDTH = 0.4
"""σ of the smoothing before training, in half windows (LEAF, section 3.2)."""


class GaborPower(nn.Module):
    """Squared modulus of complex Gabor filters: a Gaussian of width σ times exp(iηt).

    Filters of `window` samples start on the mel bands from `f_min` to `f_max` Hz (section 3.1),
    if `is_on_bins` at the bins of a spectrum that these bands are highest at. The centre η stays in
    [0, π] radians per sample, the width of the response between 1 / W and 1 / 4 cycles per sample.

    Shape: (B, T) → (B, F, T)

    >>> GaborPower(40, 401, 16000, 60.0, 7800.0)(torch.zeros(2, 1000)).shape
    torch.Size([2, 40, 1000])
    """

    def __init__(
        self,
        num_filters: int,
        window: int,
        sample_rate: int,
        f_min: float,
        f_max: float,
        is_on_bins: bool = False,
    ):
        super().__init__()
        self.window = window
        initial_filters = _from_bins if is_on_bins else _from_bands
        centre, half_maximum = initial_filters(num_filters, sample_rate, f_min, f_max)
        self.centre = nn.Parameter((2 * math.pi * centre).float())
        """Radians per sample."""
        self.width = nn.Parameter((HALF_MAXIMUM / half_maximum).float())
        """σ in samples."""

    def filters(self) -> Tensor:
        """Return the impulse responses, all real parts before the imaginary ones.

        A tone of amplitude 1 at its centre leaves a filter with amplitude 1/2.

        Shape: → (2 F, W)
        """
        time = torch.arange(self.window, device=self.centre.device) - self.window // 2
        # Beyond these bounds a filter would alias (centre), be cut off by its window (width σ too
        # large) or be narrower in time than samples resolve (σ too small).
        centre = self.centre.clamp(0.0, math.pi)[:, None]
        width = self.width.clamp(4 * HALF_MAXIMUM, self.window * HALF_MAXIMUM)[:, None]
        exponent = -0.5 * (time / width) ** 2
        # e^-50 is far below what a float32 sum of the filter resolves. Set to 0, since as denormal
        # numbers such tails halve a CPU's speed.
        exponent = exponent.masked_fill(exponent < FAINTEST, -math.inf)
        envelope = exponent.exp() / (math.sqrt(2 * math.pi) * width)
        phase = centre * time
        return torch.cat([envelope * phase.cos(), envelope * phase.sin()])

    def forward(self, waveforms: Tensor) -> Tensor:
        filters = self.filters().unsqueeze(1)
        responses = F.conv1d(waveforms.unsqueeze(1), filters, padding=self.window // 2)
        real, imaginary = responses.square().chunk(2, dim=1)
        return real + imaginary


class GaussianPool(nn.Module):
    """Gaussian-weighted mean of each channel every `hop` samples, of learned width.

    Weights sum to 1, so that constant power keeps its value for any width; if `is_sum`, the largest
    is 1 instead. `window` in samples. Zeros are half a window at both ends, if `is_same` as few as
    ⌈T / hop⌉ frames need, the odd one at the end.

    Shape: (B, F, T) → (B, F, L) with L = ⌈T / hop⌉

    >>> GaussianPool(1, 5, 2)(torch.ones(1, 1, 10))[0, 0, 1:-1]
    tensor([1., 1., 1.], grad_fn=<SliceBackward0>)
    """

    def __init__(
        self,
        num_filters: int,
        window: int,
        hop: int,
        is_sum: bool = False,
        is_same: bool = False,
    ):
        super().__init__()
        self.window, self.hop = window, hop
        self.is_sum, self.is_same = is_sum, is_same
        self.width = nn.Parameter(torch.full((num_filters,), POOL_WIDTH))
        """σ in half windows; kept in [2 / W, 1/2]."""

    def weights(self) -> Tensor:
        """Return the weights for the present widths, each row of sum 1 or of peak 1.

        Shape: → (F, W)
        """
        time = torch.linspace(-1, 1, self.window, device=self.width.device)
        width = self.width.clamp(2 / self.window, 0.5)[:, None]
        exponent = -0.5 * (time / width) ** 2
        return exponent.exp() if self.is_sum else torch.softmax(exponent, dim=1)

    def forward(self, power: Tensor) -> Tensor:
        weights, padding = self.weights().unsqueeze(1), self.window // 2
        if self.is_same:
            total = max(0, (-(-power.shape[2] // self.hop) - 1) * self.hop + self.window)
            total = max(0, total - power.shape[2])
            power, padding = F.pad(power, (total // 2, total - total // 2)), 0
        groups = len(self.width)
        return F.conv1d(power, weights, stride=self.hop, padding=padding, groups=groups)


def _from_bands(
    num_filters: int, sample_rate: int, f_min: float, f_max: float
) -> tuple[Tensor, Tensor]:
    """Return centres and full widths at half maximum of mel bands, in cycles per sample.

    Shape: → (F,), (F,)
    """
    edges = mel_edges(num_filters, f_min, f_max) / sample_rate
    # The power of filter i should follow the triangle of mel band i, so its amplitude follows the
    # triangle's square root. √triangle = 1/2 where the triangle is 1/4: there the triangle is 3/4
    # of its base wide.
    return edges[1:-1], 0.75 * (edges[2:] - edges[:-2])


def _from_bins(
    num_filters: int, sample_rate: int, f_min: float, f_max: float
) -> tuple[Tensor, Tensor]:
    """Return the same of the bands' values at the bins of a spectrum.

    Shape: → (F,), (F,)
    """
    num_bins = N_FFT // 2 + 1
    amplitude = mel_filters(num_bins, f_min, f_max, num_filters, sample_rate).T.sqrt()
    peaks, centres = amplitude.max(dim=1)
    is_above_half = amplitude >= peaks[:, None] / 2
    return centres / N_FFT, is_above_half.sum(dim=1) / N_FFT
