"""The changes of single clips: how much each draws, and in which order a clip gets them.

The first six are EAT's (Gazneli et al., "End-to-End Audio Strikes Back", 2022, arXiv 2204.11479,
section 3.2) with the sizes of its code.

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
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.rows import apply_to_selected

SEGMENT_S = 0.1
MOST_SHIFT_S = 0.1
MOST_SHIFT_HZ = 50.0
LONGEST_DECAY_S = 0.5
ON_OR_OFF = frozenset({"neg", "reverse", "mulaw"})
"""Changes without a size: `strength` below 1 makes them rarer instead."""


@dataclass(frozen=True)
class AugmentationStrength:
    """What every change must know beside its waves: the rate in Hz, and how strong it may be."""

    sample_rate: int
    strength: float = 1.0

    def bernoulli(self, probability: float) -> float:
        """Of a change without a size."""
        return probability * min(1.0, self.strength)


class Change(Protocol):
    """What one transform does to the clips that draw it; never in place."""

    def __call__(self, waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
        """Shape: waves (B, T) → (B, T)."""


def transformed(
    waves: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    """Each clip through its own choice of `options.transforms`, in its own order; in place.

    The order is drawn per clip, so that it does not hang on the batch: in each turn, clips whose
    turn it is for the same change get it together.

    Shape: (B, T) → (B, T)
    """
    names = options.transforms
    fires = {
        name: draws.bernoulli(f"{name} fires", _chance(name, options, strength)) for name in names
    }
    priorities = torch.cat([draws.uniform(f"{name} order") for name in names], dim=1)
    orders = priorities.argsort(dim=1)
    for turn in range(len(names)):
        for index, name in enumerate(names):
            is_due = fires[name] & (orders[:, turn] == index)
            apply_to_selected(waves, is_due, draws, partial(CHANGES[name], strength=strength))
    return waves


def _chance(name: Transform, options: Augment, strength: AugmentationStrength) -> float:
    return strength.bernoulli(options.transform_p) if name in ON_OR_OFF else options.transform_p


def _amp(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    return waves * draws.between("amp", 0.5, 1.3) ** strength.strength


def _neg(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    return -waves


def _tshift(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    most = min(waves.shape[1], round(MOST_SHIFT_S * strength.sample_rate * strength.strength))
    whole = draws.integers("tshift", 2 * most + 1)[:, 0] - most
    fraction = draws.between("tshift fraction", -0.5, 0.5) * strength.strength
    return sp.delayed(wf.time_shift(waves, whole, most), fraction)


def _tmask(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    length = min(waves.shape[1], round(SEGMENT_S * strength.sample_rate * strength.strength))
    starts = draws.integers("tmask", waves.shape[1] - length + 1)
    hiss = 1e-6 * draws.normal("tmask hiss", length)
    return waves.scatter(1, wf.segments(starts, length), hiss)


def _ampsegment(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    length = min(waves.shape[1], round(SEGMENT_S * strength.sample_rate))
    starts = draws.integers("ampsegment start", waves.shape[1] - length + 1)
    gains = draws.between("ampsegment", 0.5, 1.3) ** strength.strength
    where = wf.segments(starts, length)
    return waves.scatter(1, where, gains * waves.gather(1, where))


def _cycshift(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    shifts = draws.uniform("cycshift")[:, 0].double() * (waves.shape[1] * strength.strength)
    return wf.rolled(waves, shifts.long())


def _reverse(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    return waves.flip(1)


def _mulaw(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    return wf.companded(waves)


def _freqshift(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    shifts = draws.between("freqshift", -MOST_SHIFT_HZ, MOST_SHIFT_HZ) * strength.strength
    return sp.frequency_shifted(waves, shifts, strength.sample_rate)


def _room(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Not a real room: noise that decays by 60 dB in 0.1 to 0.5 s, 0 to 15 dB below the sound."""
    decay_s = draws.between("room decay", 0.1, LONGEST_DECAY_S)
    below = 10 ** (-draws.between("room level", 0.0, 15.0) / 20)
    length = round(LONGEST_DECAY_S * strength.sample_rate)
    times = torch.arange(length, device=waves.device) / strength.sample_rate
    tails = draws.normal("room", length) * 10 ** (-3 * times / decay_s)
    energies = torch.linalg.vector_norm(tails, dim=1, keepdim=True)
    return sp.reverberated(waves, tails * wf.ratio_or_zero(below * strength.strength, energies))


def _lowpass(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    share = draws.between("lowpass", 0.5, 0.75) / strength.strength
    return sp.lowpassed(waves, share * (strength.sample_rate / 2), strength.sample_rate)


def _highpass(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    share = draws.between("highpass", 0.0, 0.25) * strength.strength
    return sp.highpassed(waves, share * (strength.sample_rate / 2), strength.sample_rate)


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
