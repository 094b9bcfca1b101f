"""Log spectrogram of all bins of the short-time Fourier transform.

Legend: B batch, T samples, N frequency bins, L frames.
"""

import torch
from torch import Tensor, nn

from audiocls.audio.features.normalise import standardise
from audiocls.audio.features.options import num_frames


class LogSpectrogram(nn.Module):
    """Periodic Hann window, |STFT| to the power of `exponent`, log(· + offset).

    `hop` and `window` in samples. Frames are centred and the ends reflected, as in `logmel`;
    float32 also under autocast.

    Shape: (B, T) → (B, N, L) with N = n_fft // 2 + 1 and L = T // hop + 1 for an even n_fft

    >>> LogSpectrogram()(torch.zeros(2, 16000)).shape
    torch.Size([2, 201, 101])
    """

    hann: Tensor

    def __init__(
        self,
        n_fft: int = 400,
        hop: int = 160,
        window: int | None = None,
        exponent: float = 2.0,
        offset: float = 1e-6,
        normalise_clip: bool = False,
    ):
        super().__init__()
        self.n_fft, self.hop, self.exponent, self.offset = n_fft, hop, exponent, offset
        self.normalise_clip = normalise_clip
        # Derived from the options: a checkpoint need not hold it.
        self.register_buffer("hann", torch.hann_window(window or n_fft), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        length = waveforms.shape[-1]
        num_frames(length, self.n_fft, self.hop, "spectrogram")  # raises if too short to reflect
        with torch.autocast(waveforms.device.type, enabled=False):
            spectrum = torch.stft(
                waveforms.float(),
                self.n_fft,
                self.hop,
                win_length=len(self.hann),
                window=self.hann,
                return_complex=True,
            )
            features = torch.log(spectrum.abs().pow(self.exponent) + self.offset)
            return standardise(features, dims=(1, 2)) if self.normalise_clip else features
