"""Noise added to clips at a signal-to-noise ratio: eight synthetic kinds, or recordings.

Legend: B batch, T samples, N frequency bins or samples of a recording.
"""

import math
from functools import partial

import torch
from torch import Tensor

from audiocls.audio.augment import Augment, Noise
from audiocls.audio.augment import spectral as sp
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.rows import apply_to_selected
from audiocls.audio.augment.transforms import AugmentationStrength
from audiocls.audio.augment.waveform import ratio_or_zero, rms

EXPONENTS: dict[str, float] = {"white": 0.0, "pink": -0.5, "red": -1.0, "blue": 0.5, "violet": 1.0}
"""Colour → exponent of amplitude over frequency; 1/2 is 3 dB per octave."""
SINE_SPREAD_DB = 5.0
"""The signal-to-noise ratio of a sine is drawn from the requested one to this much above it."""


def add_random_noise(
    waveforms: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    """Add one of `options.noises` to each clip that draws one, in place.

    Shape: (B, T) → (B, T)
    """
    kinds = draws.integers("noise", len(options.noises))[:, 0]
    fires = draws.bernoulli("noise fires", options.noise_p)
    for index, kind in enumerate(options.noises):
        change = partial(_with_kind, kind=kind, snr_db=options.noise_snr_db, strength=strength)
        apply_to_selected(waveforms, fires & (kinds == index), draws, change)
    return waveforms


def _with_kind(
    waveforms: Tensor, draws: ClipRNG, kind: Noise, snr_db: float, strength: AugmentationStrength
) -> Tensor:
    """Add noise of one kind to every clip. Shape: (B, T) → (B, T)"""
    num_samples = waveforms.shape[1]
    if kind == "phase":
        return _with_phase_noise(waveforms, draws, strength)
    if kind == "sine":
        ratios = draws.between("sine level", snr_db, snr_db + SINE_SPREAD_DB)
        return add_noise(
            waveforms, sine(draws, num_samples, strength.sample_rate), ratios, strength.strength
        )
    noise = (
        draws.between("uniform noise", -1.0, 1.0, num_samples)
        if kind == "uniform"
        else coloured_noise(draws, EXPONENTS[kind], num_samples)
    )
    return add_noise(waveforms, noise, snr_db, strength.strength)


def add_noise(
    waveforms: Tensor, noise: Tensor, snr_db: float | Tensor, strength: float = 1.0
) -> Tensor:
    """Add `noise` at a level `snr_db` below each clip's RMS, times `strength`.

    Nothing is added to a silent clip, nor by silent noise.

    Shape: waveforms (B, T), noise (B, T), snr_db () or (B, 1) in dB → (B, T)

    >>> add_noise(torch.ones(1, 2), torch.tensor([[5.0, -5.0]]), snr_db=20.0)
    tensor([[1.1000, 0.9000]])
    """
    levels = ratio_or_zero(rms(waveforms), rms(noise)) * 10 ** (-snr_db / 20) * strength
    return torch.addcmul(waveforms, noise, levels)


def coloured_noise(draws: ClipRNG, exponent: float, num_samples: int) -> Tensor:
    """Draw Gaussian noise with amplitude ∝ frequency^`exponent`, 0 at 0 Hz, of any level.

    Shape: → (B, T)

    >>> coloured_noise(ClipRNG(0, torch.arange(2)), EXPONENTS["pink"], 1000).shape
    torch.Size([2, 1000])
    """
    # The spectrum of white noise is white noise: drawing the spectrum saves a forward transform.
    num_bins = num_samples // 2 + 1
    normals = draws.normal("coloured noise", 2 * num_bins)
    spectrum = torch.view_as_complex(normals.view(-1, num_bins, 2))
    scale = torch.arange(num_bins, device=normals.device).clamp(min=1) ** exponent
    scale[0] = 0.0
    return sp.waveform_of(spectrum * scale, num_samples)


def sine(draws: ClipRNG, num_samples: int, sample_rate: int) -> Tensor:
    """Draw a hum of 50·U + 3·N Hz, U uniform in [0, 1) and N normal, with a random phase.

    Shape: → (B, T), amplitude 1
    """
    hertz = draws.between("sine", 0.0, 50.0) + 3 * draws.normal("sine spread")
    times = torch.arange(num_samples, device=hertz.device) / sample_rate
    return torch.sin(2 * math.pi * (hertz * times + draws.uniform("sine phase")))


def _with_phase_noise(waveforms: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Add phase noise in STFT windows of a length that each clip draws.

    Shape: (B, T) → (B, T)
    """
    changed = waveforms.clone()
    choices = draws.integers("phase window", 3)[:, 0]
    for index, window in enumerate(sp.stft_windows(strength.sample_rate)):
        change = partial(add_phase_noise, window=window, strength=strength.strength)
        apply_to_selected(changed, choices == index, draws, change)
    return changed


def add_phase_noise(
    waveforms: Tensor, draws: ClipRNG, window: int, strength: float = 1.0
) -> Tensor:
    """Rotate STFT values by normal angles; their deviation, 0.01 to 0.02 rad, is drawn per clip.

    Shape: (B, T) → (B, T)
    """
    spectra = sp.stft(waveforms, window)
    spread = draws.between("phase spread", 0.01, 0.02) * strength
    angles = spread * draws.normal("phase noise", spectra[0].numel())
    return sp.istft(sp.rotate_phases(spectra, angles.view_as(spectra)), window, waveforms.shape[1])


def add_background(
    waveforms: Tensor,
    options: Augment,
    draws: ClipRNG,
    strength: AugmentationStrength,
    recording: Tensor,
) -> Tensor:
    """Add a random stretch of `recording` to each clip that draws one, in place.

    A recording shorter than a clip is repeated.

    Shape: waveforms (B, T), recording (N,) → (B, T)
    """
    num_samples = waveforms.shape[1]
    tiled = recording.to(waveforms.device).repeat(max(1, -(-num_samples // len(recording))))

    def under(clips: Tensor, clip_draws: ClipRNG) -> Tensor:
        starts = clip_draws.integers("background", len(tiled) - num_samples + 1)[:, 0]
        ratios = clip_draws.between("background level", *options.background_snr_db)
        return add_noise(clips, tiled.unfold(0, num_samples, 1)[starts], ratios, strength.strength)

    apply_to_selected(
        waveforms, draws.bernoulli("background fires", options.background_p), draws, under
    )
    return waveforms
