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

    `window` in samples, `f_min` and `f_max` in Hz. Always computed in float32, also under
    autocast. Ends are zero-padded.

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
    ):
        super().__init__()
        self.filters = GaborPower(num_filters, window, sample_rate, f_min, f_max)
        self.pool = GaussianPool(num_filters, window, hop)
        self.compress = PCEN(num_filters)

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            return torch.as_tensor(self.compress(self.pool(self.filters(waveforms.float()))))
