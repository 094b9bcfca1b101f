"""Random transforms of single clips: their parameters, and the random order they come in.

The first six are EAT's (Gazneli et al., "End-to-End Audio Strikes Back", 2022, arXiv 2204.11479,
section 3.2) with the parameters of its code.

Legend: B batch, T samples, S samples of a segment.
"""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from audiocls.audio.augment import Augment, Transform
from audiocls.audio.augment import spectral as sp
from audiocls.audio.augment import waveform as wf
from audiocls.audio.augment.clip_rng import ClipRNG, has_float64
from audiocls.audio.augment.own import OwnTransform
from audiocls.audio.augment.rows import apply_to_selected

SEGMENT_S = 0.1
MOST_SHIFT_S = 0.1
MOST_SHIFT_HZ = 50.0
LONGEST_DECAY_S = 0.5
ON_OR_OFF = frozenset({"neg", "reverse", "mulaw"})
"""Transforms without a size: a strength below 1 lowers their probability instead."""


@dataclass(frozen=True)
class AugmentationStrength:
    """The sample rate in Hz, and the factor in [0, 2] on the size of every augmentation."""

    sample_rate: int
    strength: float = 1.0

    def scale_probability(self, probability: float) -> float:
        """Scale the probability of a transform that has no size of its own."""
        return probability * min(1.0, self.strength)


class Change(Protocol):
    """One transform of the clips that draw it, out of place."""

    def __call__(self, waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
        """Transform every clip. Shape: waveforms (B, T) → (B, T)"""


def apply_transforms(
    waveforms: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    """Apply to each clip its own choice of `options.transforms` in its own order, in place.

    Shape: (B, T) → (B, T)
    """
    # The order is drawn per clip, so that it does not depend on the batch. In each turn the clips
    # for which the same transform is due are transformed together.
    changes = {_name(each): _change(each) for each in options.transforms}
    names = list(changes)
    fires = {
        name: draws.bernoulli(f"{name} fires", _probability(name, options, strength))
        for name in names
    }
    priorities = torch.cat([draws.uniform(f"{name} order") for name in names], dim=1)
    orders = priorities.argsort(dim=1)
    for turn in range(len(names)):
        for index, name in enumerate(names):
            is_due = fires[name] & (orders[:, turn] == index)
            apply_to_selected(waveforms, is_due, draws, partial(changes[name], strength=strength))
    return waveforms


def _name(transform: Transform | OwnTransform) -> str:
    return transform.name if isinstance(transform, OwnTransform) else transform


def _change(transform: Transform | OwnTransform) -> Change:
    """Return a shipped transform, or an own one, which has no size that could be scaled."""
    if not isinstance(transform, OwnTransform):
        return CHANGES[transform]

    def change(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
        """Transform every clip. Shape: waveforms (B, T) → (B, T)"""
        return transform.applied(waveforms, draws, strength.sample_rate)

    return change


def _probability(name: str, options: Augment, strength: AugmentationStrength) -> float:
    p = options.transform_p
    has_size = name in CHANGES and name not in ON_OR_OFF
    return p if has_size else strength.scale_probability(p)


def _amp(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Scale by a gain of 0.5 to 1.3: (B, T) → (B, T)."""
    return waveforms * draws.between("amp", 0.5, 1.3) ** strength.strength


def _neg(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Flip the sign: (B, T) → (B, T)."""
    return -waveforms


def _tshift(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Shift by up to ±0.1 s and a fraction of a sample: (B, T) → (B, T)."""
    most = min(waveforms.shape[1], round(MOST_SHIFT_S * strength.sample_rate * strength.strength))
    whole = draws.integers("tshift", 2 * most + 1)[:, 0] - most
    fraction = draws.between("tshift fraction", -0.5, 0.5) * strength.strength
    return sp.delay(wf.time_shift(waveforms, whole, most), fraction)


def _tmask(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Replace 0.1 s by noise of deviation 1e-6: (B, T) → (B, T)."""
    length = min(waveforms.shape[1], round(SEGMENT_S * strength.sample_rate * strength.strength))
    starts = draws.integers("tmask", waveforms.shape[1] - length + 1)
    hiss = 1e-6 * draws.normal("tmask hiss", length)
    return waveforms.scatter(1, wf.segment_indices(starts, length), hiss)


def _ampsegment(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Scale 0.1 s by a gain of 0.5 to 1.3: (B, T) → (B, T)."""
    length = min(waveforms.shape[1], round(SEGMENT_S * strength.sample_rate))
    starts = draws.integers("ampsegment start", waveforms.shape[1] - length + 1)
    gains = draws.between("ampsegment", 0.5, 1.3) ** strength.strength
    where = wf.segment_indices(starts, length)
    return waveforms.scatter(1, where, gains * waveforms.gather(1, where))


def _cycshift(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Shift circularly by up to the whole clip: (B, T) → (B, T)."""
    draws = draws if has_float64(waveforms.device) else draws.on("cpu")
    shifts = draws.uniform("cycshift")[:, 0].double() * (waveforms.shape[1] * strength.strength)
    return wf.roll(waveforms, shifts.long().to(waveforms.device))


def _reverse(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Reverse in time: (B, T) → (B, T)."""
    return waveforms.flip(1)


def _mulaw(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Quantise to 256 μ-law levels: (B, T) → (B, T)."""
    return wf.mu_law_round_trip(waveforms)


def _freqshift(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Shift all frequencies by up to ±50 Hz: (B, T) → (B, T)."""
    shifts = draws.between("freqshift", -MOST_SHIFT_HZ, MOST_SHIFT_HZ) * strength.strength
    return sp.frequency_shift(waveforms, shifts, strength.sample_rate)


def _room(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Reverberate by noise that decays by 60 dB in 0.1 to 0.5 s, 0 to 15 dB below the clip.

    A synthetic tail, not a measured or simulated room.

    Shape: (B, T) → (B, T)
    """
    decay_s = draws.between("room decay", 0.1, LONGEST_DECAY_S)
    below = 10 ** (-draws.between("room level", 0.0, 15.0) / 20)
    length = round(LONGEST_DECAY_S * strength.sample_rate)
    times = torch.arange(length, device=waveforms.device) / strength.sample_rate
    tails = draws.normal("room", length) * 10 ** (-3 * times / decay_s)
    energies = torch.linalg.vector_norm(tails, dim=1, keepdim=True)
    return sp.reverberate(waveforms, tails * wf.ratio_or_zero(below * strength.strength, energies))


def _lowpass(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Low-pass at 1/2 to 3/4 of half the sample rate: (B, T) → (B, T)."""
    share = draws.between("lowpass", 0.5, 0.75) / strength.strength
    return sp.lowpass(waveforms, share * (strength.sample_rate / 2), strength.sample_rate)


def _highpass(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """High-pass at up to 1/4 of half the sample rate: (B, T) → (B, T)."""
    share = draws.between("highpass", 0.0, 0.25) * strength.strength
    return sp.highpass(waveforms, share * (strength.sample_rate / 2), strength.sample_rate)


CHANGES: dict[Transform, Change] = {
    "amp": _amp,
    "neg": _neg,
    "tshift": _tshift,
    "tmask": _tmask,
    "ampsegment": _ampsegment,
    "cycshift": _cycshift,
    "reverse": _reverse,
    "mulaw": _mulaw,
    "freqshift": _freqshift,
    "room": _room,
    "lowpass": _lowpass,
    "highpass": _highpass,
}
