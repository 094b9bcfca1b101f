"""Generators of sounds from small physical and signal models; all but coloured noise peak near 1.

Each function takes a random generator (for phases and noise), the length T in samples and the
sample rate in Hz, then the parameters of the sound; each returns (T,) float32. Frequencies are in
Hz and should stay below half the rate; partials above it are omitted, since they would alias.

Legend: T samples.
"""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import signal

Samples = NDArray[np.float32]
_Reals = NDArray[np.floating[Any]]

# J.-C. Risset, "An Introductory Catalogue of Computer Synthesized Sounds", Bell Labs 1969,
# no. 430: frequency over the nominal pitch, amplitude, decay time over that of the longest partial.
_BELL_PARTIALS = np.array(
    [
        (0.56, 1.00, 1.000),
        (0.92, 1.00, 0.650),
        (1.19, 2.67, 0.325),
        (1.70, 1.67, 0.350),
        (2.00, 1.46, 0.250),
        (2.74, 1.33, 0.200),
        (3.00, 1.33, 0.150),
        (3.76, 1.00, 0.100),
        (4.07, 1.33, 0.075),
    ]
)


def chirp(
    rng: Generator, num_samples: int, sample_rate: int, start_hz: float, stop_hz: float
) -> Samples:
    """Generate a tone gliding from `start_hz` to `stop_hz`, evenly in octaves (Farina, AES 2000).

    Shape: → (T,)
    """
    octaves = np.linspace(np.log2(start_hz), np.log2(stop_hz), num_samples)
    return _sine(rng, 2**octaves, sample_rate)


def am_tone(
    rng: Generator,
    num_samples: int,
    sample_rate: int,
    pitch_hz: float,
    rate_hz: float,
    depth: float = 0.9,
) -> Samples:
    """Generate a tone with amplitude modulation at `rate_hz`; `depth` in [0, 1].

    Shape: → (T,)
    """
    swing = 1 + depth * _sine(rng, np.full(num_samples, rate_hz), sample_rate)
    return _peak_one(swing * _sine(rng, np.full(num_samples, pitch_hz), sample_rate))


def fm_tone(
    rng: Generator,
    num_samples: int,
    sample_rate: int,
    pitch_hz: float,
    rate_hz: float,
    excursion: float = 0.1,
) -> Samples:
    """Generate a tone with frequency modulation at `rate_hz`, by ± `excursion` of its pitch.

    J. Chowning, "The Synthesis of Complex Audio Spectra by Means of Frequency Modulation", 1973,
    with a slow modulator: vibrato.

    Shape: → (T,)
    """
    swing = _sine(rng, np.full(num_samples, rate_hz), sample_rate)
    return _sine(rng, pitch_hz * (1 + excursion * swing), sample_rate)


def buzz(
    rng: Generator, num_samples: int, sample_rate: int, pitch_hz: float, tilt: float = 1.0
) -> Samples:
    """Generate every harmonic of `pitch_hz`, the k-th with amplitude k^-`tilt` (1: a sawtooth).

    The band-limited pulse train of J. A. Moorer, JAES 1976, with a spectral tilt.

    Shape: → (T,)
    """
    num_harmonics = max(1, int(0.49 * sample_rate / pitch_hz))
    harmonics = np.arange(1, num_harmonics + 1)
    return _partials(rng, num_samples, sample_rate, pitch_hz * harmonics, harmonics**-tilt)


def bell(
    rng: Generator, num_samples: int, sample_rate: int, pitch_hz: float, decay_s: float = 0.5
) -> Samples:
    """Generate inharmonic partials, each with its own decay; `decay_s` is the lowest one's (1/e).

    Partials of J.-C. Risset's bell (1969).

    Shape: → (T,)
    """
    ratios, amplitudes, decays = _BELL_PARTIALS.T
    is_below = pitch_hz * ratios < 0.49 * sample_rate
    return _partials(
        rng,
        num_samples,
        sample_rate,
        pitch_hz * ratios[is_below],
        amplitudes[is_below],
        decay_s * decays[is_below],
    )


def clicks(
    rng: Generator,
    num_samples: int,
    sample_rate: int,
    pitch_hz: float,
    rate_hz: float,
    decay_s: float = 0.008,
) -> Samples:
    """Generate `rate_hz` impulses a second on a resonator at `pitch_hz` with decay `decay_s`.

    A two-pole resonator (J. O. Smith, Introduction to Digital Filters), decaying to 1/e in
    `decay_s`, excited by impulses whose times jitter by ± 10 % of their spacing.

    Shape: → (T,)
    """
    strokes = np.zeros(num_samples)
    strokes[_onsets(rng, num_samples, sample_rate / rate_hz, jitter=0.1)] = 1.0
    radius = np.exp(-1 / (decay_s * sample_rate))
    angle = 2 * np.pi * pitch_hz / sample_rate
    poles = [1.0, -2 * radius * np.cos(angle), radius**2]
    return _peak_one(signal.lfilter([1.0], poles, strokes))


def noise_bursts(
    rng: Generator,
    num_samples: int,
    sample_rate: int,
    pitch_hz: float,
    rate_hz: float,
    decay_s: float = 0.008,
) -> Samples:
    """Generate `rate_hz` decaying bursts a second of noise, an octave wide around `pitch_hz`.

    White noise through a Butterworth band-pass, times an exponential (to 1/e in `decay_s`) from
    each onset.

    Shape: → (T,)
    """
    hiss = _band_noise(rng, num_samples, sample_rate, pitch_hz / 2**0.5, pitch_hz * 2**0.5)
    strokes = np.zeros(num_samples)
    strokes[_onsets(rng, num_samples, sample_rate / rate_hz, jitter=0.1)] = 1.0
    envelope = signal.lfilter([1.0], [1.0, -np.exp(-1 / (decay_s * sample_rate))], strokes)
    return _peak_one(hiss * envelope)


def swept_noise(
    rng: Generator,
    num_samples: int,
    sample_rate: int,
    start_hz: float,
    stop_hz: float,
    width_hz: float = 200.0,
) -> Samples:
    """Generate noise in a band of `width_hz` whose centre glides from `start_hz` to `stop_hz`.

    Shape: → (T,)
    """
    # Two independent low-passed noises modulate the cosine and the sine of the gliding carrier:
    # quadrature modulation, which has the same statistics as white noise through a moving
    # band-pass of that width.
    low_pass = signal.butter(2, width_hz / 2, fs=sample_rate, output="sos")
    hiss = signal.sosfilt(low_pass, rng.standard_normal((2, num_samples)))
    octaves = np.linspace(np.log2(start_hz), np.log2(stop_hz), num_samples)
    phase = 2 * np.pi * np.cumsum(2**octaves) / sample_rate
    return _peak_one(hiss[0] * np.cos(phase) - hiss[1] * np.sin(phase))


def pluck(
    rng: Generator, num_samples: int, sample_rate: int, pitch_hz: float, stretch: float = 0.996
) -> Samples:
    """Generate a plucked string: noise in a delay loop, averaged and damped in each period.

    K. Karplus and A. Strong, "Digital Synthesis of Plucked-String and Drum Timbres", CMJ 1983;
    `stretch` in (0, 1] is the gain per period. The period is a whole number of samples and a half,
    so that the pitch is approximate.

    Shape: → (T,)
    """
    period = max(2, round(sample_rate / pitch_hz - 0.5))
    excitation = np.zeros(num_samples)
    excitation[:period] = rng.uniform(-1, 1, min(period, num_samples))
    loop = np.zeros(period + 2)
    loop[0], loop[period], loop[period + 1] = 1.0, -stretch / 2, -stretch / 2
    return _peak_one(signal.lfilter([1.0], loop, excitation))


def coloured_noise(rng: Generator, num_samples: int, exponent: float) -> Samples:
    """Generate Gaussian noise with power ∝ 1/f^`exponent` (0 white, 1 pink, 2 brown), RMS 1.

    Spectral shaping after J. Timmer and M. König, Astronomy and Astrophysics 300, 1995.

    Shape: → (T,)
    """
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    bins = np.maximum(np.arange(len(spectrum)), 1)
    waveform = np.fft.irfft(spectrum * bins ** (-exponent / 2), num_samples)
    waveform -= waveform.mean()
    return np.asarray(waveform / np.sqrt(np.mean(waveform**2)), dtype=np.float32)


def _sine(rng: Generator, frequency_hz: _Reals, sample_rate: int) -> Samples:
    """Generate a sine of instantaneous frequency `frequency_hz` and random initial phase.

    Shape: frequency_hz (T,) → (T,)
    """
    phase = 2 * np.pi * (rng.random() + np.cumsum(frequency_hz, dtype=np.float64) / sample_rate)
    return np.sin(phase).astype(np.float32)


def _partials(
    rng: Generator,
    num_samples: int,
    sample_rate: int,
    frequencies_hz: _Reals,
    amplitudes: _Reals,
    decays_s: _Reals | float = np.inf,
) -> Samples:
    """Add decaying sines of random initial phase (to 1/e in `decays_s`).

    Shape: frequencies, amplitudes, decays (P partials,) → (T,)
    """
    seconds = np.arange(num_samples) / sample_rate
    waveform = np.zeros(num_samples)
    decays = np.broadcast_to(decays_s, amplitudes.shape)
    for frequency, amplitude, decay in zip(frequencies_hz, amplitudes, decays, strict=True):
        phase = 2 * np.pi * rng.random()
        ringing = np.sin(2 * np.pi * frequency * seconds + phase)
        waveform += amplitude * np.exp(-seconds / decay) * ringing
    return _peak_one(waveform)


def _band_noise(
    rng: Generator, num_samples: int, sample_rate: int, low_hz: float, high_hz: float
) -> Samples:
    """Generate noise between two frequencies, peak 1. Shape: → (T,)"""
    band = signal.butter(2, (low_hz, high_hz), "bandpass", fs=sample_rate, output="sos")
    return _peak_one(signal.sosfilt(band, rng.standard_normal(num_samples)))


def _onsets(rng: Generator, num_samples: int, period: float, jitter: float) -> NDArray[np.int64]:
    """Draw onsets about `period` samples apart, each moved by up to ± `jitter` periods.

    Shape: → (onsets,) sample numbers
    """
    regular = np.arange(rng.random() * min(period, num_samples / 2), num_samples, period)
    moved = regular + period * jitter * rng.uniform(-1, 1, len(regular))
    return np.unique(np.clip(moved, 0, num_samples - 1).astype(np.int64))


def _peak_one(waveform: _Reals) -> Samples:
    """Scale to a peak of 1. Shape: (T,) → (T,)"""
    return np.asarray(waveform / max(float(np.abs(waveform).max()), 1e-12), dtype=np.float32)
