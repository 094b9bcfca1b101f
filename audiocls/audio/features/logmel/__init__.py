"""Options of `logmel` (torch-free); the code lies in `front_end.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from audiocls.audio.features.options import (
    FrontEndOptions,
    Level,
    check_band,
    check_mel_bands,
    check_nyquist,
    check_window,
    num_frames,
    raise_all,
)
from audiocls.options import added

if TYPE_CHECKING:
    from torch import nn


class LogMel(FrontEndOptions):
    """Logarithm of the power in mel bands; the defaults are 25 ms windows every 10 ms at 16 kHz.

    With a short `n_fft` low bands can be narrower than a bin. A band without a bin is constant at
    log(offset), which standardises to 0: at `n_fft` 400 and 16 kHz all of 80 bands hold a bin,
    but 4 of 128 do not. Raise `n_fft` with `n_mels` and with the sample rate.
    """

    name: Literal["logmel"] = "logmel"
    n_mels: PositiveInt = 64
    """Mel bands."""
    n_fft: int = Field(default=400, ge=2)
    """Samples per Fourier transform."""
    hop: PositiveInt = 160
    """Samples between frames."""
    window: PositiveInt | None = None
    """Samples of the Hann window; none means `n_fft`."""
    framing: Literal["centred", "leading"] = added("centred")
    """Where a window shorter than `n_fft` lies: `centred` as in torch and librosa, or at the
    beginning of its frame as in audax, whose Hann window is symmetric too: n_fft - window
    samples fewer are needed for a frame, so that there are some more at the end."""
    f_min: float = Field(default=0.0, ge=0.0)
    """Hz."""
    f_max: float | None = Field(default=None, gt=0.0)
    """Hz; none means half the sample rate."""
    offset: float = Field(default=1e-6, gt=0.0)
    """Smallest power that reaches the logarithm, added or as a floor (`compression`)."""
    compression: Literal["offset", "clamp"] = "offset"
    """log(power + offset), or log(max(power, offset))."""
    wave_normalise: Level = "none"
    """Level of each clip's waveform: unchanged, to peak 1, or to mean 0 and deviation 1."""
    normalise: Literal["none", "clip", "train"] = "train"
    """Mean 0 and deviation 1: per clip over all bands, or per band over the training clips."""

    @model_validator(mode="after")
    def _fits_together(self) -> "LogMel":
        problems = [*check_window(self.window, self.n_fft), *check_band(self.f_min, self.f_max)]
        problems += check_mel_bands(self.n_mels, self.n_fft)
        if self.framing == "leading" and self.window is None:
            problems.append("framing: got 'leading', allowed: with a window only; set window")
        raise_all(problems)
        return self

    @property
    def uses_training_statistics(self) -> bool:
        return self.normalise == "train"

    def check(self, sample_rate: int) -> list[str]:
        return check_nyquist(self.f_min, self.f_max, sample_rate)

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        frames = num_frames(num_samples, self.n_fft, self.hop)
        if self.framing == "leading" and self.window is not None:
            padded = num_samples + 2 * (self.n_fft // 2)
            frames = (padded - self.window) // self.hop + 1
        return self.n_mels, frames

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.logmel import front_end

        self.require_possible(sample_rate)
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
            is_leading=self.framing == "leading",
        )
