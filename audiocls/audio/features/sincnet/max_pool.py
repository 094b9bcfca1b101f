"""SincNet as audax has it: rectified band-pass filters, their maxima, normalised over filters.

Ravanelli and Bengio (SLT 2018, arXiv 1808.00158), with LEAF's place for it (arXiv 2101.08596).

Legend: B batch, T samples, F filters, W kernel (samples), L frames.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.audio.features.mel_scale import mel_edges

SLOPE = 0.2
"""Of the rectifier, below 0."""
LEAST = 1e-5
"""Smallest maximum that reaches the normalisation."""


class PeakSincFilters(nn.Module):
    """Band-pass filters of peak 1 with learned cutoffs in Hz, in a Hamming window of `kernel`.

    They begin side by side, evenly on the mel scale from `narrowest` to 2 · `narrowest` Hz below
    half the sample rate. Cutoffs and bandwidths are `narrowest` Hz above the size of their
    parameters. In Hz, as in the paper: at the usual learning rates they hardly move.

    Shape: (B, T) → (B, F, T)

    >>> PeakSincFilters(40, 401, 16000, 50.0)(torch.zeros(2, 1000)).shape
    torch.Size([2, 40, 1000])
    """

    hamming: Tensor

    def __init__(self, num_filters: int, kernel: int, sample_rate: int, narrowest: float):
        super().__init__()
        self.kernel, self.sample_rate, self.narrowest = kernel, sample_rate, narrowest
        edges = mel_edges(num_filters - 1, narrowest, sample_rate / 2 - 2 * narrowest)
        self.low = nn.Parameter(edges[:-1].float())
        """Lower cutoff less `narrowest`, Hz."""
        self.band = nn.Parameter(edges.diff().float())
        """Bandwidth less `narrowest`, Hz."""
        window = torch.hamming_window(kernel, periodic=False)
        self.register_buffer("hamming", window, persistent=False)

    def filters(self) -> Tensor:
        """Return the impulse responses for the present parameters. Shape: → (F, W)"""
        low = self.narrowest + self.low.abs()
        high = low + self.narrowest + self.band.abs()
        high = high.clamp(self.narrowest, self.sample_rate / 2)
        time = torch.arange(self.kernel, device=low.device) - self.kernel // 2
        seconds = time / self.sample_rate
        response = _low_pass(high[:, None], seconds) - _low_pass(low[:, None], seconds)
        return response / response.amax(dim=1, keepdim=True) * self.hamming

    def forward(self, waveforms: Tensor) -> Tensor:
        filters = self.filters().unsqueeze(1)
        return F.conv1d(waveforms.unsqueeze(1), filters, padding=self.kernel // 2)


class MaxPooledSincNet(nn.Module):
    """The largest rectified response of each filter in `window`, every `hop` samples; LayerNorm.

    Always computed in float32, also under autocast. Windows are padded as TensorFlow and Flax do it
    (`SAME`). The level of a clip cancels, as each frame is normalised over its filters.

    Shape: (B, T) → (B, F, L) with L = ⌈T / hop⌉

    >>> MaxPooledSincNet(PeakSincFilters(40, 401, 16000, 50.0), 401, 160)(torch.zeros(2, 800)).shape
    torch.Size([2, 40, 5])
    """

    def __init__(self, filters: PeakSincFilters, window: int, hop: int):
        super().__init__()
        self.filters, self.window, self.hop = filters, window, hop
        self.norm = nn.LayerNorm(len(filters.low), eps=1e-6)

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            responses = F.leaky_relu(self.filters(waveforms.float()), SLOPE)
            maxima = self._maxima(responses).clamp(min=LEAST)
            return torch.as_tensor(self.norm(maxima.transpose(1, 2)).transpose(1, 2))

    def _maxima(self, responses: Tensor) -> Tensor:
        """Return the maximum of each window. Shape: (B, F, T) → (B, F, L)"""
        num_samples = responses.shape[2]
        total = max(0, (-(-num_samples // self.hop) - 1) * self.hop + self.window - num_samples)
        padding = (total // 2, total - total // 2)
        return F.max_pool1d(F.pad(responses, padding, value=-math.inf), self.window, self.hop)


def _low_pass(cutoff: Tensor, seconds: Tensor) -> Tensor:
    """Return ideal low-pass filters below `cutoff` Hz. Shape: (F, 1), (W,) → (F, W)"""
    return 2 * cutoff * torch.sinc(2 * cutoff * seconds)
