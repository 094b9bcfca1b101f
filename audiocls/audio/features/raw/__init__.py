"""Options of `raw` (torch-free); the code lies in `front_end.py`."""

from typing import TYPE_CHECKING, Literal

from audiocls.part import Part

if TYPE_CHECKING:
    from torch import nn


class Raw(Part):
    """The waveform itself, as one channel."""

    name: Literal["raw"] = "raw"
    normalise: Literal["none", "abs_max", "standard"] = "none"
    """Per clip: nothing, a peak of 1, or mean 0 and deviation 1. Silence stays zero."""

    @property
    def uses_training_statistics(self) -> bool:
        return False

    def shape(self, num_samples: int) -> tuple[int, int]:
        """(channels, frames) of the features of a clip, without building anything."""
        return 1, num_samples

    def build(self, sample_rate: int) -> "nn.Module":
        from audiocls.audio.features.raw import front_end

        return front_end.Raw(self.normalise)
