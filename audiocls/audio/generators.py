"""Ten kinds of sound from small physical and signal models; every waveform has a peak near 1.

Legend: T samples. Each function takes a generator (for phases and noise), the length T in
samples and the rate in Hz, then what can be heard; each returns (T,) float32. Frequencies are in
Hz and should stay below half the rate; partials above it are left out, not folded back.
"""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import signal

Samples = NDArray[np.float32]
_Reals = NDArray[np.floating[Any]]

# J.-C. Risset, "An Introductory Catalogue of Computer Synthesized Sounds", Bell Labs 1969,
# no. 430: frequency over the nominal pitch, amplitude, decay over the longest partial's.
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
    """A tone gliding from `start_hz` to `stop_hz`, evenly in octaves (A. Farina, AES 2000).

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
    """A steady tone whose loudness swings `rate_hz` times a second; `depth` in [0, 1].

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
    """A tone of even loudness, its pitch swinging by ± `excursion` of itself at `rate_hz`.

    J. Chowning, "The Synthesis of Complex Audio Spectra by Means of Frequency Modulation", 1973,
    with a slow modulator: vibrato.

    Shape: → (T,)
    """
    swing = _sine(rng, np.full(num_samples, rate_hz), sample_rate)
    return _sine(rng, pitch_hz * (1 + excursion * swing), sample_rate)


def buzz(
    rng: Generator, num_samples: int, sample_rate: int, pitch_hz: float, tilt: float = 1.0
) -> Samples:
    """Every harmonic of `pitch_hz`, the k-th with amplitude k^-`tilt` (1: a sawtooth).

    The band-limited pulse train of J. A. Moorer, JAES 1976, with a spectral tilt.

    Shape: → (T,)
    """
    num_harmonics = max(1, int(0.49 * sample_rate / pitch_hz))
    harmonics = np.arange(1, num_harmonics + 1)
    return _partials(rng, num_samples, sample_rate, pitch_hz * harmonics, harmonics**-tilt)


def bell(
    rng: Generator, num_samples: int, sample_rate: int, pitch_hz: float, decay_s: float = 0.5
) -> Samples:
    """Inharmonic partials, each dying at its own rate; `decay_s` is the deepest one's (to 1/e).

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
    """`rate_hz` strokes a second on a resonator at `pitch_hz` that rings for `decay_s` (to 1/e).

    A two-pole resonator (J. O. Smith, Introduction to Digital Filters) struck by impulses whose
    spacing jitters by ± 10 %.

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
    """`rate_hz` dying bursts a second of noise, an octave wide around `pitch_hz`.

    White noise through a Butterworth band-pass, times an exponential from each onset.

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
    """Noise through a band `width_hz` wide whose centre glides from `start_hz` to `stop_hz`.

    Low-passed noise on a gliding carrier: single-sideband-free heterodyning, which equals
    filtering white noise with a moving band-pass of that width.

    Shape: → (T,)
    """
    low_pass = signal.butter(2, width_hz / 2, fs=sample_rate, output="sos")
    hiss = signal.sosfilt(low_pass, rng.standard_normal((2, num_samples)))
    octaves = np.linspace(np.log2(start_hz), np.log2(stop_hz), num_samples)
    phase = 2 * np.pi * np.cumsum(2**octaves) / sample_rate
    return _peak_one(hiss[0] * np.cos(phase) - hiss[1] * np.sin(phase))


def pluck(
    rng: Generator, num_samples: int, sample_rate: int, pitch_hz: float, stretch: float = 0.996
) -> Samples:
    """A plucked string: noise in a loop of one period, averaged and damped each time round.

    K. Karplus and A. Strong, "Digital Synthesis of Plucked-String and Drum Timbres", CMJ 1983;
    `stretch` in (0, 1] is the loss a round. The period is a whole number of samples and a half.

    Shape: → (T,)
    """
    period = max(2, round(sample_rate / pitch_hz - 0.5))
    excitation = np.zeros(num_samples)
    excitation[:period] = rng.uniform(-1, 1, min(period, num_samples))
    loop = np.zeros(period + 2)
    loop[0], loop[period], loop[period + 1] = 1.0, -stretch / 2, -stretch / 2
    return _peak_one(signal.lfilter([1.0], loop, excitation))


def coloured_noise(rng: Generator, num_samples: int, exponent: float) -> Samples:
    """Gaussian noise with power ∝ 1/f^`exponent` (0 white, 1 pink, 2 brown), RMS 1.

    Spectral shaping after J. Timmer and M. König, Astronomy and Astrophysics 300, 1995.

    Shape: → (T,)
    """
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    bins = np.maximum(np.arange(len(spectrum)), 1)
    waveform = np.fft.irfft(spectrum * bins ** (-exponent / 2), num_samples)
    waveform -= waveform.mean()
    return np.asarray(waveform / np.sqrt(np.mean(waveform**2)), dtype=np.float32)


def _sine(rng: Generator, frequency_hz: _Reals, sample_rate: int) -> Samples:
    """Shape: (T,) instantaneous frequency → (T,), from a random phase."""
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
    """Shape: three times (partials,) → (T,)"""
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
    band = signal.butter(2, (low_hz, high_hz), "bandpass", fs=sample_rate, output="sos")
    return _peak_one(signal.sosfilt(band, rng.standard_normal(num_samples)))


def _onsets(rng: Generator, num_samples: int, period: float, jitter: float) -> NDArray[np.int64]:
    """Sample numbers about `period` apart, each moved by up to ± `jitter` periods."""
    regular = np.arange(rng.random() * min(period, num_samples / 2), num_samples, period)
    moved = regular + period * jitter * rng.uniform(-1, 1, len(regular))
    return np.unique(np.clip(moved, 0, num_samples - 1).astype(np.int64))


def _peak_one(waveform: _Reals) -> Samples:
    return np.asarray(waveform / max(float(np.abs(waveform).max()), 1e-12), dtype=np.float32)
