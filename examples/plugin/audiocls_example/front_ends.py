"""A front end. Legend: B batch, C channels, L frames, T samples."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 256


class EnergyBands(nn.Module):
    """Log energy in bands of equal width, 50 frames a second: (B, T) → (B, C, L)."""

    window: Tensor

    def __init__(self, sample_rate: int, bands: int = 16):
        super().__init__()
        self.bands, self.hop = bands, sample_rate // 50
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return log energies."""
        frames = F.pad(waveforms, (WINDOW // 2, WINDOW // 2)).unfold(1, WINDOW, self.hop)
        power = torch.fft.rfft(frames * self.window).abs().square().transpose(1, 2)
        return F.adaptive_avg_pool2d(power, (self.bands, power.shape[2])).add(1e-6).log()
