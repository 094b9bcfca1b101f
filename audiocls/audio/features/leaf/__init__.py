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
from audiocls.options import added

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
    """Gabor filters, each a channel."""
    window: int = Field(default=401, ge=9)
    """Samples of each filter and of the smoothing after it; odd, so that both have a centre."""
    hop: PositiveInt = 160
    """Samples between frames."""
    f_min: float = Field(default=60.0, ge=0.0)
    """Hz; where the lowest filter starts from before training."""
    f_max: float | None = Field(default=None, gt=0.0)
    """Hz; where the highest filter ends before training; none means half the sample rate."""
    init: Literal["bands", "bins"] = added("bands")
    """Filters before training: exactly on the mel bands, or as the authors' code finds them, on
    the bins of a spectrum of 512 samples."""
    pooling: Literal["mean", "sum"] = added("mean")
    """Smoothing by weights whose sum is 1, or whose peak is 1, as LEAF's and audax' code has it:
    some 200 times the power, of which PCEN's floor is then so much smaller a part."""
    floor: float = added(1e-6, gt=0.0)
    """PCEN's floor, added to the mean loudness that it divides by; 1e-12 in audax. Quieter sounds
    are no longer brought to one loudness: with `pooling: mean` those of rms 0.01 and less."""
    least_power: float = added(0.0, ge=0.0)
    """Smallest power that reaches PCEN; 1e-5 in LEAF's and audax' code."""
    padding: Literal["symmetric", "same"] = added("symmetric")
    """Frames centred on the first sample and every `hop` samples after, or as TensorFlow and Flax
    pad (`SAME`), which is half a hop later."""

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

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        return self.num_filters, -(-num_samples // self.hop)

    def check(self, sample_rate: int) -> list[str]:
        return check_nyquist(self.f_min, self.f_max, sample_rate)

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.leaf import front_end

        self.require_possible(sample_rate)
        f_max = sample_rate / 2 if self.f_max is None else self.f_max
        return front_end.Leaf(
            self.num_filters,
            self.window,
            self.hop,
            sample_rate,
            self.f_min,
            f_max,
            is_on_bins=self.init == "bins",
            is_sum=self.pooling == "sum",
            is_same=self.padding == "same",
            floor=self.floor,
            least_power=self.least_power,
        )
