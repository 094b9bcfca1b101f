"""Options of `sincnet` (torch-free); the code lies in `front_end.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from audiocls.audio.features.limits import (
    nyquist_faults,
    order_faults,
    refuse,
    require_possible,
)
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn

NARROWEST = 50.0
"""Hz: the least cutoff and the least bandwidth of a filter (SincNet, section 3)."""


class SincNet(Options):
    """SincNet: band-pass filters whose two cutoffs are learned, and the log power in each.

    Ravanelli and Bengio, "Speaker recognition from raw waveform with SincNet" (SLT 2018,
    arXiv 1808.00158). Theirs feeds the filtered waves to a deep network; here the power is
    averaged and its logarithm taken, so that every model of bands and frames can follow. Costs as
    much as `leaf`; learned, so never cached.
    """

    name: Literal["sincnet"] = "sincnet"
    wave_normalise: Literal["none", "abs_max", "standard"] = "none"
    """Of each clip's wave nothing, its peak to 1, or its mean to 0 and deviation to 1."""
    num_filters: PositiveInt = 80
    kernel: int = Field(default=251, ge=3)
    """Samples of each filter; odd, so that it has a middle."""
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

    @model_validator(mode="after")
    def _fits_together(self) -> "SincNet":
        faults = order_faults(self.f_min, self.f_max)
        for name, length in (("kernel", self.kernel), ("window", self.window)):
            if length % 2 == 0:
                faults.append(f"{name}: got {length}, allowed: odd numbers of samples")
        refuse(faults)
        return self

    @property
    def uses_training_statistics(self) -> bool:
        return False

    @property
    def is_learned(self) -> bool:
        return True

    def shape(self, num_samples: int) -> tuple[int, int]:
        """(filters, frames) of the features of a clip, without building anything."""
        return self.num_filters, -(-num_samples // self.hop)

    def check(self, sample_rate: int) -> list[str]:
        """Faults at `sample_rate` Hz."""
        faults = nyquist_faults(self.f_min, self.f_max, sample_rate)
        if sample_rate / 2 < 2 * NARROWEST:
            faults.append(f"sample_rate: got {sample_rate}, allowed: {4 * NARROWEST:.0f} or more")
        return faults

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.sincnet import front_end

        require_possible(self, sample_rate)
        f_max = sample_rate / 2 if self.f_max is None else self.f_max
        return front_end.SincNet(
            front_end.SincFilters(
                self.num_filters, self.kernel, sample_rate, self.f_min, f_max, NARROWEST
            ),
            window=self.window,
            hop=self.hop,
            offset=self.offset,
        )
