"""What may be random about a training clip: crop, gain and shift of the wave, masks on the bands.

Everything here is off by default and never touches a validation or test clip. The code lies in
`waveform.py` (B, T) and `specaugment.py` (B, F, L).
"""

from typing import Literal

from pydantic import Field

from audiocls.part import Part


class Augment(Part):
    """Random changes of training clips, drawn per clip from the trial's own stream."""

    crop: Literal["centre", "random"] = "centre"
    """Which part of a clip longer than `data.duration_s` is trained on."""
    gain_db: float = Field(default=0.0, ge=0.0, le=60.0)
    """Gain drawn from ±`gain_db` decibels."""
    shift_s: float = Field(default=0.0, ge=0.0)
    """Shift drawn from ±`shift_s` seconds, zero filled."""
    freq_mask: int = Field(default=0, ge=0)
    """SpecAugment: widest band mask, in mel bands."""
    time_mask: int = Field(default=0, ge=0)
    """SpecAugment: widest time mask, in frames."""
    num_masks: int = Field(default=2, ge=1)
    """Masks of each kind per clip."""

    @property
    def changes_wave(self) -> bool:
        """Whether features must be computed anew for each epoch."""
        return self.crop == "random" or self.gain_db > 0 or self.shift_s > 0

    @property
    def masks_bands(self) -> bool:
        return self.freq_mask > 0 or self.time_mask > 0
