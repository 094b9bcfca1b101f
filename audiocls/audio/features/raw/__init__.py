"""Options of `raw` (torch-free); the code lies in `front_end.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class Raw(Options):
    """The waveform itself, as one channel."""

    name: Literal["raw"] = "raw"
    normalise: Literal["none", "abs_max", "standard", "batch_norm"] = "none"
    """Of each clip nothing, its peak, or its mean to 0 and deviation to 1; silence stays zero.
    Or, trained with the model, a BatchNorm of all clips as they are."""
    peak: float = Field(default=1.0, gt=0.0)
    """Largest magnitude after abs_max; full scale is 1."""

    @model_validator(mode="after")
    def _peak_has_an_effect(self) -> "Raw":
        if self.normalise != "abs_max" and "peak" in self.changed():
            raise ValueError(
                f"peak: got {self.peak}, but normalise {self.normalise} sets no peak;"
                " allowed: with normalise abs_max only"
            )
        return self

    @property
    def wave_normalise(self) -> Literal["none", "abs_max", "standard"]:
        """What is done to each clip's wave before it is augmented."""
        return "none" if self.normalise == "batch_norm" else self.normalise

    @property
    def uses_training_statistics(self) -> bool:
        return False

    @property
    def is_learned(self) -> bool:
        return self.normalise == "batch_norm"

    def check(self, sample_rate: int) -> list[str]:
        """Faults of these options at a sample rate in Hz: none, at any."""
        return []

    def shape(self, num_samples: int) -> tuple[int, int]:
        """(channels, frames) of the features of a clip, without building anything."""
        return 1, num_samples

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.raw import front_end

        return front_end.Raw(has_batch_norm=self.is_learned)
