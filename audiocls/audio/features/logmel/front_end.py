"""Log-mel filter banks, equal to log(torchaudio's MelSpectrogram + offset).

Legend: B batch, T samples, F mel bands, N frequency bins, L frames.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.audio.features.mel_scale import mel_filters
from audiocls.audio.features.normalise import standardise
from audiocls.audio.features.options import num_frames


class LogMelFilterBanks(nn.Module):
    """Periodic Hann window, power spectrum, HTK mel bands without norm, log(power + offset).

    With compression clamp log(max(power, offset)), exact where it is louder than the offset.
    `hop` and `window` in samples, `f_min` and `f_max` in Hz (none is half the rate). Frames are
    centred and the ends reflected; if `is_leading`, the window is symmetric and at the beginning of
    its frame, and there are (n_fft - window) / hop frames more. Always computed in float32, also
    under autocast. Bands too narrow to hold a bin of `n_fft` are constant at log(offset).

    Shape: (…, T) → (…, F, L) with L = T // hop + 1 for an even n_fft

    >>> LogMelFilterBanks()(torch.zeros(2, 16000)).shape
    torch.Size([2, 80, 101])
    """

    hann: Tensor
    filters: Tensor

    def __init__(
        self,
        n_fft: int = 400,
        sample_rate: int = 16000,
        hop: int = 160,
        n_mels: int = 80,
        window: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        offset: float = 1e-6,
        normalise_clip: bool = False,
        compression: Literal["offset", "clamp"] = "offset",
        is_leading: bool = False,
    ):
        super().__init__()
        self.n_fft, self.hop, self.offset = n_fft, hop, offset
        self.normalise_clip, self.compression = normalise_clip, compression
        self.is_leading = is_leading
        top = float(sample_rate // 2) if f_max is None else f_max  # torchaudio rounds down too
        filters = mel_filters(n_fft // 2 + 1, f_min, top, n_mels, sample_rate)
        # Derived from the options: a checkpoint need not hold them.
        hann = torch.hann_window(window or n_fft, periodic=not is_leading)
        self.register_buffer("hann", hann, persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        num_frames(waveforms.shape[-1], self.n_fft, self.hop)  # raises if too short to reflect
        # bfloat16 has 8 bits of precision, two to three digits: too few for a power.
        with torch.autocast(waveforms.device.type, enabled=False):
            power = self._power(waveforms.float().reshape(-1, waveforms.shape[-1]))
            mel = torch.matmul(power.transpose(-1, -2), self.filters).transpose(-1, -2)
            features = torch.log(self._floored(mel))
            if self.normalise_clip:
                features = standardise(features, dims=(1, 2))
        return features.reshape(*waveforms.shape[:-1], *features.shape[-2:])

    def _floored(self, mel: Tensor) -> Tensor:
        """Keep the power from 0, as `compression` has it. Shape: (B, F, L) → the same"""
        return mel.clamp(min=self.offset) if self.compression == "clamp" else mel + self.offset

    def _power(self, waveforms: Tensor) -> Tensor:
        """Compute the power spectrum of each frame. Shape: (B, T) → (B, N, L)"""
        if self.is_leading:
            return self._leading_power(waveforms)
        spectrum = torch.stft(
            waveforms,
            self.n_fft,
            self.hop,
            win_length=len(self.hann),
            window=self.hann,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        # Not re² + im², which is faster but rounds differently: where power is near the offset the
        # logarithm would show it, and features would no longer equal torchaudio's.
        return spectrum.abs().pow(2)

    def _leading_power(self, waveforms: Tensor) -> Tensor:
        """Compute the same of windows at the beginning of frames. Shape: (B, T) → (B, N, L)"""
        margin = self.n_fft // 2
        padded = F.pad(waveforms.unsqueeze(1), (margin, margin), mode="reflect").squeeze(1)
        frames = padded.unfold(1, len(self.hann), self.hop) * self.hann
        power: Tensor = torch.fft.rfft(frames, n=self.n_fft).abs().pow(2)
        return power.transpose(1, 2)
