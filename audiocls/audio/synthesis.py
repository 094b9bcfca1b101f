"""Synthetic recordings with known labels: ten classes of sound, noise and interferers.

A *source recording* fixes a voice (pitch, tempo, brightness, noise colour); the *clips* cut from
it vary timing, level and interferer. All classes draw their voices from the same ranges, so that
neither pitch nor tempo alone reveals the class.

Legend: T samples.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence

from audiocls.audio import generators
from audiocls.audio.generators import Samples

_FADE_S = 0.01
_FOR_VOICE, _FOR_CLIP, _FOR_OTHERS = 0, 1, 2


@dataclass(frozen=True)
class Voice:
    """The parameters that all clips of a source recording share.

    `rate_hz` is modulations or strokes per second; `brightness` in [0, 1]; `span` in octaves is
    the range of gliding sounds; `noise_exponent` runs from 0 (white) to 2 (brown).
    """

    pitch_hz: float
    rate_hz: float
    brightness: float
    span: float
    noise_exponent: float


Sound = Callable[[Generator, int, int, Voice], Samples]


def _rising(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    low, high = _glide(voice)
    return generators.chirp(rng, num_samples, sample_rate, low, high)


def _falling(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    low, high = _glide(voice)
    return generators.chirp(rng, num_samples, sample_rate, high, low)


def _swept(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    ends = rng.permutation(_glide(voice))
    width_hz = voice.pitch_hz * (0.3 + 0.5 * voice.brightness)
    return generators.swept_noise(rng, num_samples, sample_rate, ends[0], ends[1], width_hz)


def _am(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    depth = 0.6 + 0.4 * voice.brightness
    return generators.am_tone(rng, num_samples, sample_rate, voice.pitch_hz, voice.rate_hz, depth)


def _fm(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    excursion = 0.03 + 0.09 * voice.brightness
    pitch_hz, rate_hz = voice.pitch_hz, voice.rate_hz
    return generators.fm_tone(rng, num_samples, sample_rate, pitch_hz, rate_hz, excursion)


def _buzz(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    return generators.buzz(rng, num_samples, sample_rate, voice.pitch_hz, 1.8 - voice.brightness)


def _bell(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    decay_s = 0.3 + 0.5 * voice.brightness
    return generators.bell(rng, num_samples, sample_rate, voice.pitch_hz, decay_s)


def _clicks(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    decay_s = 0.004 + 0.012 * voice.brightness
    return generators.clicks(rng, num_samples, sample_rate, voice.pitch_hz, voice.rate_hz, decay_s)


def _bursts(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    decay_s = 0.004 + 0.012 * voice.brightness
    return generators.noise_bursts(
        rng, num_samples, sample_rate, voice.pitch_hz, voice.rate_hz, decay_s
    )


def _pluck(rng: Generator, num_samples: int, sample_rate: int, voice: Voice) -> Samples:
    return generators.pluck(
        rng, num_samples, sample_rate, voice.pitch_hz, 0.98 + 0.018 * voice.brightness
    )


def _glide(voice: Voice) -> tuple[float, float]:
    """Return the ends of a glide in Hz, centred on the pitch in octaves."""
    half = 2 ** (voice.span / 2)
    return voice.pitch_hz / half, voice.pitch_hz * half


SOUNDS: dict[str, Sound] = {
    "chirp_up": _rising,
    "chirp_down": _falling,
    "am_tone": _am,
    "fm_tone": _fm,
    "buzz": _buzz,
    "bell": _bell,
    "clicks": _clicks,
    "noise_bursts": _bursts,
    "swept_noise": _swept,
    "pluck": _pluck,
}
CLASSES = tuple(SOUNDS)


def voice_of(seed: int, label: int, source: int) -> Voice:
    """Draw the voice of one source recording, the same for every clip of it."""
    rng = np.random.default_rng(SeedSequence([seed, label, source, _FOR_VOICE]))
    return Voice(
        pitch_hz=float(250 * 2 ** rng.uniform(0, 2.5)),
        rate_hz=float(6 * 2 ** rng.uniform(0, 1.5)),
        brightness=float(rng.random()),
        span=float(rng.uniform(1.0, 2.5)),
        noise_exponent=float(rng.uniform(0, 2)),
    )


def other_labels(seed: int, label: int, source: int, take: int, most: int) -> tuple[int, ...]:
    """Draw up to `most` further classes of one clip's events, none of them `label`."""
    rng = _rng_of_others(seed, label, source, take)
    others = [number for number in range(len(CLASSES)) if number != label]
    return tuple(int(n) for n in rng.permutation(others)[: int(rng.integers(0, most + 1))])


def synthesise(
    seed: int,
    label: int,
    source: int,
    take: int,
    num_samples: int,
    sample_rate: int,
    difficulty: float,
    others: tuple[int, ...] = (),
) -> Samples:
    """Synthesise one clip: an event of class `label` in noise, and an interferer of another class.

    There is one more event of each class of `others`, about as loud as the first.

    `difficulty` in [0, 1] lowers the event's level over the noise from 30 to -10 dB and raises the
    interferer's level over the event from -20 to 0 dB (RMS, ± 3 dB). The same arguments give the
    same bits; the peak is below 1.

    Shape: → (T,) float32
    """
    rng = np.random.default_rng(SeedSequence([seed, label, source, _FOR_CLIP, take]))
    voice = voice_of(seed, label, source)
    other = (label + int(rng.integers(1, len(CLASSES)))) % len(CLASSES)
    other_voice = voice_of(seed, other, int(rng.integers(1 << 31)))
    snr_db = 30 - 40 * difficulty + rng.uniform(-3, 3)
    interferer_db = -20 + 20 * difficulty + rng.uniform(-3, 3)
    level_db = rng.uniform(-20, -3)
    event = _event(rng, CLASSES[label], voice, num_samples, sample_rate)
    interferer = _event(rng, CLASSES[other], other_voice, num_samples, sample_rate)
    noise = generators.coloured_noise(rng, num_samples, voice.noise_exponent)
    rng = _rng_of_others(seed, label, source, take)
    for number in others:
        voice = voice_of(seed, number, int(rng.integers(1 << 31)))
        added = _event(rng, CLASSES[number], voice, num_samples, sample_rate)
        event = event + _gain(rng.uniform(-3, 3)) * added
    mixture = event + _gain(interferer_db) * interferer + _gain(-snr_db) * noise
    return np.asarray(mixture * (_gain(level_db) / np.abs(mixture).max()), dtype=np.float32)


def _rng_of_others(seed: int, label: int, source: int, take: int) -> Generator:
    """Return a stream of its own, so that further events leave all else of a clip as it is."""
    return np.random.default_rng(SeedSequence([seed, label, source, _FOR_OTHERS, take]))


def _event(rng: Generator, name: str, voice: Voice, num_samples: int, sample_rate: int) -> Samples:
    """Place a sound of 45 to 90 % of the clip at random, faded in and out, RMS 1 while it lasts.

    Shape: → (T,)
    """
    length = int(num_samples * rng.uniform(0.45, 0.9))
    start = int(rng.integers(0, num_samples - length + 1))
    sound = SOUNDS[name](rng, length, sample_rate, voice)
    num_fade = max(1, min(length // 2, round(_FADE_S * sample_rate)))
    ramp = np.linspace(0, 1, num_fade, dtype=np.float32)
    sound[:num_fade] *= ramp
    sound[-num_fade:] *= ramp[::-1]
    clip = np.zeros(num_samples, dtype=np.float32)
    clip[start : start + length] = sound / np.sqrt(np.mean(sound**2) + 1e-12)
    return clip


def _gain(db: float) -> np.float32:
    """Return the amplitude of a level in dB."""
    return np.float32(10 ** (db / 20))
