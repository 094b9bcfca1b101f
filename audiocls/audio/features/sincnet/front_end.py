"""SincNet: band-pass filters with learned cutoffs, then the logarithm of the power in each.

Ravanelli and Bengio (SLT 2018, arXiv 1808.00158), section 2.

Legend: B batch, T samples, F filters, W kernel (samples), L frames.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.audio.features.mel_scale import mel_edges


class SincFilters(nn.Module):
    """Band-pass filters of gain 1 with learned cutoffs, in a Hamming window of `kernel` samples.

    A filter is the difference of two low-pass filters, 2f₂·sinc(2f₂t) − 2f₁·sinc(2f₁t). Cutoffs
    and bandwidths stay at or above `narrowest` Hz and below half the sample rate.

    Shape: (B, T) → (B, F, T)

    >>> SincFilters(80, 251, 16000, 60.0, 7800.0, 50.0)(torch.zeros(2, 1000)).shape
    torch.Size([2, 80, 1000])
    """

    hamming: Tensor

    def __init__(
        self,
        num_filters: int,
        kernel: int,
        sample_rate: int,
        f_min: float,
        f_max: float,
        narrowest: float,
    ):
        super().__init__()
        self.kernel = kernel
        # Parameters in radians per sample, where the paper has Hz: one step of an optimiser at the
        # usual learning rates then moves a cutoff by some Hz rather than by µHz.
        radians = 2 * math.pi / sample_rate
        self.narrowest = narrowest * radians
        edges = mel_edges(num_filters, f_min, f_max) * radians
        self.low = nn.Parameter(edges[:-2].float())
        """Lower cutoff, radians per sample."""
        self.band = nn.Parameter((edges[2:] - edges[:-2]).float())
        """Bandwidth (upper less lower cutoff), radians per sample."""
        # Derived from the options: a checkpoint need not hold it.
        window = torch.hamming_window(kernel, periodic=False)
        self.register_buffer("hamming", window, persistent=False)

    def cutoffs(self) -> tuple[Tensor, Tensor]:
        """Return lower and upper cutoffs after the constraints, radians per sample in (0, π].

        Shape: → (F,), (F,)
        """
        low = self.low.clamp(self.narrowest, math.pi - self.narrowest)
        return low, (low + self.band.clamp(min=self.narrowest)).clamp(max=math.pi)

    def filters(self) -> Tensor:
        """Return the impulse responses for the present parameters.

        Shape: → (F, W)
        """
        time = torch.arange(self.kernel, device=self.low.device) - self.kernel // 2
        low, high = (_low_pass(cutoff[:, None], time) for cutoff in self.cutoffs())
        return (high - low) * self.hamming

    def forward(self, waveforms: Tensor) -> Tensor:
        filters = self.filters().unsqueeze(1)
        return F.conv1d(waveforms.unsqueeze(1), filters, padding=self.kernel // 2)


class SincNet(nn.Module):
    """Power of the filtered waveforms, Hann-weighted mean every `hop` samples, log(· + offset).

    `window` is the length of the mean in samples. Always computed in float32, also under
    autocast. Ends are zero-padded.

    Shape: (B, T) → (B, F, L) with L = ⌈T / hop⌉

    >>> filters = SincFilters(80, 251, 16000, 60.0, 7800.0, 50.0)
    >>> SincNet(filters)(torch.zeros(2, 16000)).shape
    torch.Size([2, 80, 100])
    """

    hann: Tensor

    def __init__(
        self, filters: SincFilters, window: int = 401, hop: int = 160, offset: float = 1e-6
    ):
        super().__init__()
        self.filters, self.hop, self.offset = filters, hop, offset
        # A Hann window of `window` + 2 samples without the zeros at its ends, where power would be
        # computed for nothing. Derived from the options: a checkpoint need not hold it.
        hann = torch.hann_window(window + 2, periodic=False)[1:-1]
        self.register_buffer("hann", hann / hann.sum(), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            power = self.filters(waveforms.float()).square()
            return torch.log(self._mean(power) + self.offset)

    def _mean(self, power: Tensor) -> Tensor:
        """Average power under the Hann window, every `hop` samples.

        Shape: (B, F, T) → (B, F, L)
        """
        num_filters, window = power.shape[1], len(self.hann)
        weights = self.hann.expand(num_filters, 1, window)
        return F.conv1d(power, weights, stride=self.hop, padding=window // 2, groups=num_filters)


def _low_pass(cutoff: Tensor, time: Tensor) -> Tensor:
    """Return ideal low-pass filters of gain 1 below `cutoff` (radians per sample).

    Shape: cutoff (F, 1), time (W,) in samples → (F, W)
    """
    fraction = cutoff / math.pi
    return fraction * torch.sinc(fraction * time)
