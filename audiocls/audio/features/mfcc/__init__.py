"""Options of `mfcc` (torch-free); the code lies in `front_end.py`."""

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

if TYPE_CHECKING:
    from torch import nn


class MFCC(FrontEndOptions):
    """Mel-frequency cepstral coefficients: the cosine transform of log-mel, first terms only.

    Davis and Mermelstein (1980). The first coefficients hold the spectrum's envelope, the last
    its pitch. Not for networks that mix channels themselves: to them this is `logmel` with fewer
    channels.
    """

    name: Literal["mfcc"] = "mfcc"
    wave_normalise: Level = "none"
    """Level of each clip's waveform: unchanged, to peak 1, or to mean 0 and deviation 1."""
    n_mfcc: PositiveInt = 40
    """Coefficients kept, up to `n_mels`; with all of them log-mel can be recovered exactly."""
    n_mels: PositiveInt = 64
    """Mel bands before the cosine transform."""
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
    """Added to the power before the logarithm."""
    normalise: Literal["none", "clip", "train"] = "train"
    """Mean 0 and deviation 1 per coefficient: over the clip's frames, or the training clips."""

    @model_validator(mode="after")
    def _fits_together(self) -> "MFCC":
        problems = check_window(self.window, self.n_fft) + check_band(self.f_min, self.f_max)
        problems += check_mel_bands(self.n_mels, self.n_fft)
        if self.n_mfcc > self.n_mels:
            problems.append(f"n_mfcc: got {self.n_mfcc}, allowed: up to n_mels, {self.n_mels}")
        raise_all(problems)
        return self

    @property
    def uses_training_statistics(self) -> bool:
        return self.normalise == "train"

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        return self.n_mfcc, num_frames(num_samples, self.n_fft, self.hop, self.name)

    def check(self, sample_rate: int) -> list[str]:
        return check_nyquist(self.f_min, self.f_max, sample_rate)

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.logmel.front_end import LogMelFilterBanks
        from audiocls.audio.features.mfcc import front_end

        self.require_possible(sample_rate)
        log_mel = LogMelFilterBanks(
            n_fft=self.n_fft,
            sample_rate=sample_rate,
            hop=self.hop,
            n_mels=self.n_mels,
            window=self.window,
            f_min=self.f_min,
            f_max=self.f_max,
            offset=self.offset,
        )
        return front_end.MFCC(log_mel, self.n_mels, self.n_mfcc, self.normalise == "clip")
