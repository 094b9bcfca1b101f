"""Options of `leaf` (torch-free); the code lies in `front_end.py`, `gabor.py` and `pcen.py`."""

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


class Leaf(Options):
    """LEAF: filters, smoothing and compression all learned, seven numbers a filter.

    Zeghidour et al., "LEAF: a learnable frontend for audio classification" (ICLR 2021,
    arXiv 2101.08596). The defaults are theirs at 16 kHz: 25 ms filters every 10 ms. Costs 50
    to 100 times a log-mel, as every filter runs at the sample rate; learned, so never cached.
    """

    name: Literal["leaf"] = "leaf"
    wave_normalise: Literal["none", "abs_max", "standard"] = "none"
    """Of each clip's wave nothing, its peak to 1, or its mean to 0 and deviation to 1."""
    num_filters: PositiveInt = 40
    window: int = Field(default=401, ge=9)
    """Samples of each filter and of the smoothing after it; odd, so that both have a middle."""
    hop: PositiveInt = 160
    """Samples between frames."""
    f_min: float = Field(default=60.0, ge=0.0)
    """Hz; where the lowest filter starts from before training."""
    f_max: float | None = Field(default=None, gt=0.0)
    """Hz; where the highest filter ends before training; none means half the sample rate."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Leaf":
        faults = order_faults(self.f_min, self.f_max)
        if self.window % 2 == 0:
            faults.append(f"window: got {self.window}, allowed: odd numbers of samples")
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
        return nyquist_faults(self.f_min, self.f_max, sample_rate)

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.leaf import front_end

        require_possible(self, sample_rate)
        f_max = sample_rate / 2 if self.f_max is None else self.f_max
        return front_end.Leaf(
            self.num_filters, self.window, self.hop, sample_rate, self.f_min, f_max
        )
