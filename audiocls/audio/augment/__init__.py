"""What may be random about a training clip: its wave, its company, masks on its bands.

Everything here is off by default and never touches a validation or test clip. Batches go through
`chain.change_waves`, then `mixing.mix` (both on waves), then `specaugment.mask` (on features);
what is drawn comes from `draws.Draws`.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from audiocls.options import Options

Transform = Literal[
    "amp",
    "neg",
    "tshift",
    "tmask",
    "ampsegment",
    "cycshift",
    "reverse",
    "mulaw",
    "freqshift",
    "room",
    "lowpass",
    "highpass",
]
Noise = Literal["white", "blue", "pink", "red", "violet", "uniform", "phase", "sine"]
Mix = Literal["mixup", "timemix", "freqmix", "phasemix", "cutmix"]
Chance = Annotated[float, Field(ge=0.0, le=1.0)]
Decibels = Annotated[float, Field(ge=-60.0, le=120.0)]


class Augment(Options):
    """Random changes of training clips, each clip by its own draws.

    EAT's recipe is `transforms` amp, neg, tshift, tmask, ampsegment, cycshift; all `noises`;
    `resample_p` 0.5; `mixes` mixup, timemix, freqmix, phasemix.
    """

    crop: Literal["centre", "random"] = "centre"
    """Which part of a clip longer than `data.duration_s` is trained on."""
    gain_db: float = Field(default=0.0, ge=0.0, le=60.0)
    """Gain drawn from ±`gain_db` decibels."""
    shift_s: float = Field(default=0.0, ge=0.0)
    """Shift drawn from ±`shift_s` seconds, zero filled."""
    transforms: tuple[Transform, ...] = ()
    """Changes that a clip gets in random order: amp (gain 0.5 to 1.3), neg (sign), tshift (±0.1 s
    and a fraction of a sample), tmask (0.1 s silenced), ampsegment (amp on 0.1 s), cycshift (rolled
    round), reverse, mulaw (256 levels), freqshift (±50 Hz), room (synthetic echo), lowpass (from
    1/2 to 3/4 of half the rate), highpass (up to 1/4 of it)."""
    transform_p: Chance = 0.5
    """Chance of each of `transforms`."""
    noises: tuple[Noise, ...] = ()
    """Kinds of noise of which a clip gets at most one."""
    noise_p: Chance = 0.5
    noise_snr_db: Decibels = 30.0
    """Signal over noise; a sine is up to 5 dB fainter."""
    background: str | None = None
    """Folder of recordings to lay under the clips."""
    background_p: Chance = 0.5
    background_snr_db: tuple[Decibels, Decibels] = (20.0, 25.0)
    """Signal over background, drawn from this range."""
    resample_p: Chance = 0.0
    resample_factors: tuple[Annotated[float, Field(ge=0.5, le=2.0)], ...] = (0.8, 0.9, 1.1, 1.2)
    """New rates over the old: a tone at f is heard at f / factor; cropped or padded to length."""
    strength: float = Field(default=1.0, ge=0.0, le=2.0)
    """Size of all changes above but `crop`, from 0 for none: decibels of gain, shifts, masked
    lengths and amplitudes of what is added are multiplied by it, filters cut by so much less.
    What has no size (neg, reverse, mulaw, resampling) is so much rarer, but above 1 no more
    frequent."""
    mixes: tuple[Mix, ...] = ()
    """Ways to mix every clip with another of its batch, each clip by one of them."""
    mix_from_epoch: int = Field(default=0, ge=0)
    """Epochs finished before the first that mixes."""
    freq_mask: int = Field(default=0, ge=0)
    """SpecAugment: widest band mask, in mel bands; what is masked becomes 0, the mean."""
    time_mask: int = Field(default=0, ge=0)
    """SpecAugment: widest time mask, in frames."""
    num_masks: int = Field(default=2, ge=1)
    """Masks of each kind per clip."""

    @property
    def changes_samples(self) -> bool:
        """Whether the samples of a clip change once it is cropped."""
        return self.strength > 0 and self._has_sizes

    @property
    def changes_wave(self) -> bool:
        """Whether features must be computed anew for each epoch, mixing aside."""
        return self.crop == "random" or self.changes_samples

    @property
    def mixes_clips(self) -> bool:
        return bool(self.mixes)

    @property
    def masks_bands(self) -> bool:
        return self.freq_mask > 0 or self.time_mask > 0

    @property
    def _has_sizes(self) -> bool:
        is_moved = self.gain_db > 0 or self.shift_s > 0 or self.resample_p > 0
        return is_moved or bool(self.transforms or self.noises or self.background)

    @model_validator(mode="after")
    def _is_of_one_piece(self) -> "Augment":
        faults = [*self._repeated(), *self._idle()]
        low, high = self.background_snr_db
        if low > high:
            faults.append(f"background_snr_db: got {low}, {high}, allowed: the lower one first")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _repeated(self) -> Iterator[str]:
        for name in ("transforms", "noises", "mixes", "resample_factors"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                yield f"{name}: got {', '.join(map(str, values))}, allowed: each once"
        if not self.resample_factors:
            yield "resample_factors: got none, allowed: one or more; resample_p 0 switches it off"

    def _idle(self) -> Iterator[str]:
        """Options that were changed and yet have no effect."""
        needs = {
            "transform_p": ("transforms", bool(self.transforms)),
            "noise_p": ("noises", bool(self.noises)),
            "noise_snr_db": ("noises other than phase", bool(set(self.noises) - {"phase"})),
            "background_p": ("background", bool(self.background)),
            "background_snr_db": ("background", bool(self.background)),
            "resample_factors": ("resample_p above 0", self.resample_p > 0),
            "mix_from_epoch": ("mixes", self.mixes_clips),
            "strength": ("a change of waves that it could scale", self._has_sizes),
        }
        for name in sorted(self.changed() & needs.keys()):
            other, is_there = needs[name]
            if not is_there:
                yield f"{name}: got {getattr(self, name)}, no effect without {other}"
