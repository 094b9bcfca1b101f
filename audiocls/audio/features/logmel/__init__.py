"""Options of `logmel` (torch-free); the code lies in `front_end.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from audiocls.audio.features.frames import num_frames
from audiocls.audio.features.limits import (
    band_faults,
    nyquist_faults,
    order_faults,
    refuse,
    require_possible,
    window_faults,
)
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class LogMel(Options):
    """Logarithm of the power in mel bands; the defaults are 25 ms windows every 10 ms at 16 kHz.

    Many bands under a short `n_fft` are narrower than its bins; those that hold no bin stay at
    log(offset), which standardises to 0. At `n_fft` 400 and 16 kHz 80 bands hold one each, and 4
    of 128 hold none: raise `n_fft` with `n_mels` and with the sample rate.
    """

    name: Literal["logmel"] = "logmel"
    n_mels: PositiveInt = 64
    n_fft: int = Field(default=400, ge=2)
    """Samples per Fourier transform."""
    hop: PositiveInt = 160
    """Samples between frames."""
    window: PositiveInt | None = None
    """Samples of the Hann window; none means `n_fft`."""
    f_min: float = Field(default=0.0, ge=0.0)
    """Hz."""
    f_max: float | None = Field(default=None, gt=0.0)
    """Hz; none means half the sample rate."""
    offset: float = Field(default=1e-6, gt=0.0)
    """Least power that the logarithm is taken of."""
    compression: Literal["offset", "clamp"] = "offset"
    """log(power + offset), or log(max(power, offset))."""
    wave_normalise: Literal["none", "abs_max", "standard"] = "none"
    """Of each clip's wave nothing, its peak to 1, or its mean to 0 and deviation to 1."""
    normalise: Literal["none", "clip", "train"] = "train"
    """Mean 0 and deviation 1: per clip over all bands, or per band over the training clips."""

    @model_validator(mode="after")
    def _fits_together(self) -> "LogMel":
        faults = [*window_faults(self.window, self.n_fft), *order_faults(self.f_min, self.f_max)]
        faults += band_faults(self.n_mels, self.n_fft)
        refuse(faults)
        return self

    @property
    def uses_training_statistics(self) -> bool:
        return self.normalise == "train"

    @property
    def is_learned(self) -> bool:
        return False

    def check(self, sample_rate: int) -> list[str]:
        """Faults of these options at a sample rate in Hz: bands must lie below half of it."""
        return nyquist_faults(self.f_min, self.f_max, sample_rate)

    def shape(self, num_samples: int) -> tuple[int, int]:
        """(mel bands, frames) of the features of a clip, without building anything."""
        return self.n_mels, num_frames(num_samples, self.n_fft, self.hop)

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.logmel import front_end

        require_possible(self, sample_rate)
        return front_end.LogMelFilterBanks(
            n_fft=self.n_fft,
            sample_rate=sample_rate,
            hop=self.hop,
            n_mels=self.n_mels,
            window=self.window,
            f_min=self.f_min,
            f_max=self.f_max,
            offset=self.offset,
            normalise_clip=self.normalise == "clip",
            compression=self.compression,
        )
