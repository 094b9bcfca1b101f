"""Training-time augmentation: waveform transforms, mixing of two clips, SpecAugment masks.

Everything here is off by default and never touches a validation or test clip. Batches go through
`chain.augment_waveforms`, then `mixing.mix` (both on waveforms), then `spec_augment.masked` (on
features). All random numbers come from `clip_rng.ClipRNG`.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from audiocls.audio.augment.own import OwnMix, OwnTransform
from audiocls.options import Options, added
from audiocls.parts import OrOwn

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
AnyTransform = Annotated[Transform | OwnTransform, OrOwn(OwnTransform)]
AnyMix = Annotated[Mix | OwnMix, OrOwn(OwnMix)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Decibels = Annotated[float, Field(ge=-60.0, le=120.0)]


class Augment(Options):
    """Random changes of training clips; each clip draws its own.

    EAT's recipe is `transforms` amp, neg, tshift, tmask, ampsegment, cycshift; all `noises`;
    `resample_p` 0.5; `mixes` mixup, timemix, freqmix, phasemix.
    """

    crop: Literal["centre", "random"] = "centre"
    """Which part of a clip longer than `data.duration_s` is trained on."""
    gain_db: float = Field(default=0.0, ge=0.0, le=60.0)
    """Gain drawn from ±`gain_db` decibels."""
    shift_s: float = Field(default=0.0, ge=0.0)
    """Time shift drawn from ±`shift_s` seconds, zero-padded."""
    transforms: tuple[AnyTransform, ...] = ()
    """Transforms applied in random order: amp (gain 0.5 to 1.3), neg (sign), tshift (time shift of
    ±0.1 s and a fraction of a sample), tmask (0.1 s of silence), ampsegment (amp on 0.1 s),
    cycshift (circular shift), reverse, mulaw (256 levels), freqshift (±50 Hz), room (synthetic
    reverberation), lowpass (from 1/2 to 3/4 of half the rate), highpass (up to 1/4 of it), or your
    own."""
    transform_p: Probability = 0.5
    """Probability of each of `transforms`."""
    noises: tuple[Noise, ...] = ()
    """Kinds of noise; at most one is added to a clip."""
    noise_p: Probability = 0.5
    """Probability that a clip gets one of `noises`."""
    noise_snr_db: Decibels = 30.0
    """Signal-to-noise ratio; that of a sine is up to 5 dB higher."""
    background: str | None = None
    """Folder of recordings to add as background noise."""
    background_p: Probability = 0.5
    """Probability that a clip gets a background recording."""
    background_snr_db: tuple[Decibels, Decibels] = (20.0, 25.0)
    """Range of the signal-to-background ratio."""
    resample_p: Probability = 0.0
    """Probability that a clip is played faster or slower."""
    resample_factors: tuple[Annotated[float, Field(ge=0.5, le=2.0)], ...] = (0.8, 0.9, 1.1, 1.2)
    """New over old sample rate: a tone at f moves to f / factor; cropped or padded to length."""
    strength: float = Field(default=1.0, ge=0.0, le=2.0)
    """Scale of all changes above but `crop`; 0 is none. Decibels of gain, shifts, masked lengths
    and amplitudes of added noise are multiplied by it, and filters cut by so much less. Of changes
    without a size (neg, reverse, mulaw, resampling) the probability is multiplied, by 1 at most."""
    mixes: tuple[AnyMix, ...] = ()
    """Ways to mix every clip with another of its batch; each clip draws one of them."""
    mix_p: float = added(1.0, gt=0.0, le=1.0)
    """Probability that a batch is mixed at all; below 1 with `draw_per: batch` only."""
    mix_from_epoch: int = Field(default=0, ge=0)
    """Epochs to finish before mixing begins."""
    draw_per: Literal["clip", "batch"] = added("clip")
    """Who draws resampling, the way of mixing and its STFT window: each clip, or once a batch."""
    feature_mixup: float = added(0.0, ge=0.0, le=10.0)
    """Mix the features of every clip with another's, after SpecAugment, in a share drawn from
    Beta(α, α), this number being α; labels have the same shares under any loss. 0 is off."""
    roll: bool = added(False)
    """Roll the features of each clip in time by any number of frames: what leaves at the end enters
    at the beginning. Other than `cycshift` it costs no features."""
    crop_frames: int = added(0, ge=0)
    """Frames of a random part of each clip's features that are trained on, of those that a clip
    has; a step costs so much less. Whole clips are scored. 0 trains on whole clips, too."""
    stretch: float = added(0.0, ge=0.0, le=1.0)
    """Play features faster or slower, from 1 / (1 + `stretch`) to 1 + `stretch` times, the same on
    a logarithmic scale: frames are left out or repeated. Pitch stays, other than by `resample_p`;
    what is beyond the end is the beginning again."""
    equalise: float = added(0.0, ge=0.0, le=4.0)
    """Largest gain, up or down, of a random equaliser, in deviations of a band over the training
    clips: what another microphone or distance does to all frames of a clip."""
    freq_mask: int = Field(default=0, ge=0)
    """SpecAugment: widest band mask, in mel bands; masked values become 0, the mean."""
    time_mask: int = Field(default=0, ge=0)
    """SpecAugment: widest time mask, in frames."""
    num_masks: int = Field(default=2, ge=1)
    """Masks of each kind per clip."""
    masked: Literal["mean", "silence"] = added("mean")
    """What masked values become: the mean of their band, or what a silent band has, as if the mel
    bands were masked before the logarithm (features logmel)."""

    @property
    def changes_samples(self) -> bool:
        """Whether samples change apart from cropping and mixing."""
        return self.strength > 0 and self._has_sizes

    @property
    def changes_waveform(self) -> bool:
        """Whether features must be computed anew for each epoch, apart from mixing."""
        return self.crop == "random" or self.changes_samples

    @property
    def mixes_clips(self) -> bool:
        return bool(self.mixes)

    @property
    def mixes_every_batch(self) -> bool:
        return self.mixes_clips and self.mix_from_epoch == 0 and self.mix_p == 1

    @property
    def has_own_transform(self) -> bool:
        return any(isinstance(each, OwnTransform) for each in self.transforms)

    @property
    def has_own_mix(self) -> bool:
        return any(isinstance(each, OwnMix) for each in self.mixes)

    @property
    def masks_bands(self) -> bool:
        return self.freq_mask > 0 or self.time_mask > 0

    @property
    def moves_features(self) -> bool:
        """Whether features are rolled, cropped or stretched in time."""
        return self.roll or self.crop_frames > 0 or self.stretch > 0

    def trained_frames(self, num_frames: int) -> int:
        """Return how many of a clip's frames are trained on."""
        return min(self.crop_frames, num_frames) if self.crop_frames > 0 else num_frames

    @property
    def changes_bands(self) -> bool:
        """Whether standardised features are changed: masked or equalised."""
        return self.masks_bands or self.equalise > 0

    @property
    def _has_sizes(self) -> bool:
        is_moved = self.gain_db > 0 or self.shift_s > 0 or self.resample_p > 0
        return is_moved or bool(self.transforms or self.noises or self.background)

    @model_validator(mode="after")
    def _is_consistent(self) -> "Augment":
        problems = [*self._repetitions(), *self._unused()]
        if self.mix_p < 1 and self.draw_per == "clip":
            problems.append(f"mix_p: got {self.mix_p}, allowed: below 1 with draw_per=batch only")
        low, high = self.background_snr_db
        if low > high:
            problems.append(f"background_snr_db: got {low}, {high}, allowed: the lower one first")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _repetitions(self) -> Iterator[str]:
        for name in ("transforms", "noises", "mixes", "resample_factors"):
            values = [getattr(each, "name", each) for each in getattr(self, name)]
            if len(set(values)) < len(values):
                yield f"{name}: got {', '.join(map(str, values))}, allowed: each once"
        if not self.resample_factors:
            yield "resample_factors: got none, allowed: one or more; resample_p 0 switches it off"

    def _unused(self) -> Iterator[str]:
        """Yield options that were changed although they have no effect."""
        needs = {
            "transform_p": ("transforms", bool(self.transforms)),
            "noise_p": ("noises", bool(self.noises)),
            "noise_snr_db": ("noises other than phase", bool(set(self.noises) - {"phase"})),
            "background_p": ("background", bool(self.background)),
            "background_snr_db": ("background", bool(self.background)),
            "resample_factors": ("resample_p above 0", self.resample_p > 0),
            "mix_from_epoch": ("mixes", self.mixes_clips),
            "mix_p": ("mixes", self.mixes_clips),
            "draw_per": ("mixes or resample_p", self.mixes_clips or self.resample_p > 0),
            "masked": ("freq_mask or time_mask", self.masks_bands),
            "strength": ("a change of waveforms that it could scale", self._has_sizes),
        }
        for name in sorted(self.changed() & needs.keys()):
            other, is_given = needs[name]
            if not is_given:
                yield f"{name}: got {getattr(self, name)}, no effect without {other}"
