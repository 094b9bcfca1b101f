"""LEAF: learned Gabor filters, learned smoothing, learned compression.

Zeghidour et al. (ICLR 2021, arXiv 2101.08596), section 3.

Legend: B batch, T samples, F filters, L frames.
"""

import torch
from torch import Tensor, nn

from audiocls.audio.features.leaf.gabor import GaborPower, GaussianPool
from audiocls.audio.features.leaf.pcen import PCEN


class Leaf(nn.Module):
    """Power in F bands, averaged every `hop` samples, then compressed by PCEN.

    `window` in samples, `f_min` and `f_max` in Hz; `is_on_bins` as in `GaborPower`, `is_sum` and
    `is_same` as in `GaussianPool`, `floor` and `least_power` of PCEN. Always computed in float32,
    also under autocast. Ends are zero-padded.

    Shape: (B, T) → (B, F, L) with L = ⌈T / hop⌉

    >>> Leaf()(torch.zeros(2, 16000)).shape
    torch.Size([2, 40, 100])
    """

    def __init__(
        self,
        num_filters: int = 40,
        window: int = 401,
        hop: int = 160,
        sample_rate: int = 16000,
        f_min: float = 60.0,
        f_max: float = 7800.0,
        is_on_bins: bool = False,
        is_sum: bool = False,
        is_same: bool = False,
        floor: float = 1e-6,
        least_power: float = 0.0,
    ):
        super().__init__()
        self.filters = GaborPower(num_filters, window, sample_rate, f_min, f_max, is_on_bins)
        self.pool = GaussianPool(num_filters, window, hop, is_sum, is_same)
        self.compress = PCEN(num_filters, floor=floor)
        self.least_power = least_power

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            power = self.pool(self.filters(waveforms.float()))
            # Not at 0, the default: a clamp would halve the gradient where the power is 0.
            power = power.clamp(min=self.least_power) if self.least_power > 0 else power
            return torch.as_tensor(self.compress(power))
