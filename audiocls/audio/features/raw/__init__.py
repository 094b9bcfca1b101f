"""Options of `raw` (torch-free); the code lies in `front_end.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from audiocls.audio.features.options import FrontEndOptions, Level

if TYPE_CHECKING:
    from torch import nn


class Raw(FrontEndOptions):
    """The waveform itself, as one channel."""

    name: Literal["raw"] = "raw"
    normalise: Literal["none", "abs_max", "standard", "batch_norm"] = "none"
    """Level of each clip: unchanged, to peak `peak`, or to mean 0 and deviation 1; silence stays
    zero. Or one BatchNorm over all clips, trained with the model."""
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
    def wave_normalise(self) -> Level:
        """How each clip's level is set before augmentation."""
        return "none" if self.normalise == "batch_norm" else self.normalise

    @property
    def is_learned(self) -> bool:
        return self.normalise == "batch_norm"

    @property
    def is_cached(self) -> bool:
        return False  # the features are the waveforms, which the pack holds already

    def wave_normaliser(self) -> "nn.Module":
        from audiocls.audio.features.normalise import NormaliseWaveform

        return NormaliseWaveform(self.wave_normalise, self.peak)

    def check(self, sample_rate: int) -> list[str]:
        return []

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        return 1, num_samples

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.raw import front_end

        return front_end.Raw(has_batch_norm=self.is_learned)
