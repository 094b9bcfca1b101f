"""Options of `sincnet` (torch-free); the code lies in `front_end.py`."""

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

NARROWEST = 50.0
"""Hz: the least cutoff and the least bandwidth of a filter (SincNet, section 3)."""


class SincNet(FrontEndOptions):
    """SincNet: band-pass filters whose two cutoffs are learned, and the log power in each.

    Ravanelli and Bengio, "Speaker recognition from raw waveform with SincNet" (SLT 2018,
    arXiv 1808.00158). Deviation: the paper feeds the filtered waveforms to a deep network; here
    the power is averaged and its logarithm taken, so that any model of (channels, frames) can
    follow. Costs as much as `leaf`; learned, so never cached.
    """

    name: Literal["sincnet"] = "sincnet"
    wave_normalise: Level = "none"
    """Level of each clip's waveform: unchanged, to peak 1, or to mean 0 and deviation 1."""
    num_filters: PositiveInt = 80
    """Band-pass filters, each a channel."""
    kernel: int = Field(default=251, ge=3)
    """Samples of each filter; odd, so that it has a centre."""
    window: int = Field(default=401, ge=3)
    """Samples of the Hann window that power is averaged over; odd."""
    hop: PositiveInt = 160
    """Samples between frames."""
    f_min: float = Field(default=60.0, ge=0.0)
    """Hz; where the lowest filter begins before training."""
    f_max: float | None = Field(default=None, gt=0.0)
    """Hz; where the highest filter ends before training; none means half the sample rate."""
    offset: float = Field(default=1e-6, gt=0.0)
    """Added to the power before the logarithm."""
    design: Literal["log_power", "max_pool"] = added("log_power")
    """`log_power` as above, or audax': leaky ReLU, the maximum of each window, LayerNorm over the
    filters of a frame; cutoffs in Hz that begin from 50 Hz on, so without f_min, f_max, offset."""

    @model_validator(mode="after")
    def _fits_together(self) -> "SincNet":
        problems = check_band(self.f_min, self.f_max)
        for name, length in (("kernel", self.kernel), ("window", self.window)):
            if length % 2 == 0:
                problems.append(f"{name}: got {length}, allowed: odd numbers of samples")
        if self.design == "max_pool":
            unused = sorted(self.changed() & {"f_min", "f_max", "offset"})
            problems += [
                f"{name}: no effect under design 'max_pool'; leave it out" for name in unused
            ]
        raise_all(problems)
        return self

    @property
    def is_learned(self) -> bool:
        return True

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        return self.num_filters, -(-num_samples // self.hop)

    def check(self, sample_rate: int) -> list[str]:
        problems = check_nyquist(self.f_min, self.f_max, sample_rate)
        if sample_rate / 2 < 2 * NARROWEST:
            problems.append(f"sample_rate: got {sample_rate}, allowed: {4 * NARROWEST:.0f} or more")
        return problems

    def build(self, sample_rate: int) -> "nn.Module":
        self.require_possible(sample_rate)
        return (
            self._max_pooled(sample_rate)
            if self.design == "max_pool"
            else self._log_power(sample_rate)
        )

    def _max_pooled(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.sincnet import max_pool

        filters = max_pool.PeakSincFilters(self.num_filters, self.kernel, sample_rate, NARROWEST)
        return max_pool.MaxPooledSincNet(filters, self.window, self.hop)

    def _log_power(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.sincnet import front_end

        f_max = sample_rate / 2 if self.f_max is None else self.f_max
        return front_end.SincNet(
            front_end.SincFilters(
                self.num_filters, self.kernel, sample_rate, self.f_min, f_max, NARROWEST
            ),
            window=self.window,
            hop=self.hop,
            offset=self.offset,
        )
