"""Options of `spectrogram` (torch-free); the code lies in `front_end.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from audiocls.audio.features.options import (
    FrontEndOptions,
    Level,
    check_window,
    num_frames,
    raise_all,
)

if TYPE_CHECKING:
    from torch import nn


class Spectrogram(FrontEndOptions):
    """Logarithm of the bins of a short-time Fourier transform, without mel bands.

    Not for small models: n_fft // 2 + 1 channels, most of them above what the ear resolves.
    """

    name: Literal["spectrogram"] = "spectrogram"
    wave_normalise: Level = "none"
    """Level of each clip's waveform: unchanged, to peak 1, or to mean 0 and deviation 1."""
    n_fft: int = Field(default=400, ge=2)
    """Samples per Fourier transform."""
    hop: PositiveInt = 160
    """Samples between frames."""
    window: PositiveInt | None = None
    """Samples of the Hann window; none means `n_fft`."""
    scale: Literal["power", "magnitude"] = "power"
    """|STFT|² or |STFT|, whose logarithm is taken."""
    offset: float = Field(default=1e-6, gt=0.0)
    """Added before the logarithm."""
    normalise: Literal["none", "clip", "train"] = "train"
    """Mean 0 and deviation 1: per clip over all bins, or per bin over the training clips."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Spectrogram":
        raise_all(check_window(self.window, self.n_fft))
        return self

    @property
    def uses_training_statistics(self) -> bool:
        return self.normalise == "train"

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        return self.n_fft // 2 + 1, num_frames(num_samples, self.n_fft, self.hop, self.name)

    def check(self, sample_rate: int) -> list[str]:
        return []  # bins are fractions of the sample rate: any rate will do

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.spectrogram import front_end

        return front_end.LogSpectrogram(
            n_fft=self.n_fft,
            hop=self.hop,
            window=self.window,
            exponent=2.0 if self.scale == "power" else 1.0,
            offset=self.offset,
            normalise_clip=self.normalise == "clip",
        )
