"""Options of `leaf` (torch-free); the code lies in `front_end.py`, `gabor.py` and `pcen.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from audiocls.audio.features.options import (
    FrontEndOptions,
    Level,
    check_band,
    check_nyquist,
    raise_all,
)

if TYPE_CHECKING:
    from torch import nn


class Leaf(FrontEndOptions):
    """LEAF: filters, smoothing and compression all learned, seven parameters per filter.

    Zeghidour et al., "LEAF: a learnable frontend for audio classification" (ICLR 2021,
    arXiv 2101.08596). The defaults are theirs at 16 kHz: 25 ms filters every 10 ms. Costs 50
    to 100 times a log-mel, as every filter runs at the sample rate; learned, so never cached.
    """

    name: Literal["leaf"] = "leaf"
    wave_normalise: Level = "none"
    """Level of each clip's waveform: unchanged, to peak 1, or to mean 0 and deviation 1."""
    num_filters: PositiveInt = 40
    window: int = Field(default=401, ge=9)
    """Samples of each filter and of the smoothing after it; odd, so that both have a centre."""
    hop: PositiveInt = 160
    """Samples between frames."""
    f_min: float = Field(default=60.0, ge=0.0)
    """Hz; where the lowest filter starts from before training."""
    f_max: float | None = Field(default=None, gt=0.0)
    """Hz; where the highest filter ends before training; none means half the sample rate."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Leaf":
        problems = check_band(self.f_min, self.f_max)
        if self.window % 2 == 0:
            problems.append(f"window: got {self.window}, allowed: odd numbers of samples")
        raise_all(problems)
        return self

    @property
    def is_learned(self) -> bool:
        return True

    def shape(self, num_samples: int) -> tuple[int, int]:
        return self.num_filters, -(-num_samples // self.hop)

    def check(self, sample_rate: int) -> list[str]:
        return check_nyquist(self.f_min, self.f_max, sample_rate)

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.leaf import front_end

        self.require_possible(sample_rate)
        f_max = sample_rate / 2 if self.f_max is None else self.f_max
        return front_end.Leaf(
            self.num_filters, self.window, self.hop, sample_rate, self.f_min, f_max
        )
