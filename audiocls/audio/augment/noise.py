"""Noise added to clips at a signal-to-noise ratio: eight kinds of our own, or recordings.

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
"""Colour → exponent of the amplitude over frequency; each half is 3 dB an octave."""
SINE_SPREAD_DB = 5.0
"""A sine's ratio is drawn from the requested one to so much above it."""


def noisy(
    waves: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    """One of `options.noises` added to each clip that draws one; in place.

    Shape: (B, T) → (B, T)
    """
    kinds = draws.integers("noise", len(options.noises))[:, 0]
    fires = draws.bernoulli("noise fires", options.noise_p)
    for index, kind in enumerate(options.noises):
        change = partial(_with_kind, kind=kind, snr_db=options.noise_snr_db, strength=strength)
        apply_to_selected(waves, fires & (kinds == index), draws, change)
    return waves


def _with_kind(
    waves: Tensor, draws: ClipRNG, kind: Noise, snr_db: float, strength: AugmentationStrength
) -> Tensor:
    num_samples = waves.shape[1]
    if kind == "phase":
        return _with_phase_noise(waves, draws, strength)
    if kind == "sine":
        ratios = draws.between("sine level", snr_db, snr_db + SINE_SPREAD_DB)
        return with_noise(
            waves, sine(draws, num_samples, strength.sample_rate), ratios, strength.strength
        )
    noise = (
        draws.between("uniform noise", -1.0, 1.0, num_samples)
        if kind == "uniform"
        else coloured(draws, EXPONENTS[kind], num_samples)
    )
    return with_noise(waves, noise, snr_db, strength.strength)


def with_noise(
    waves: Tensor, noise: Tensor, snr_db: float | Tensor, strength: float = 1.0
) -> Tensor:
    """`noise` scaled to `snr_db` below each clip, times `strength`; silence of either adds none.

    Shape: waves (B, T), noise (B, T), snr_db () or (B, 1) → (B, T)

    >>> with_noise(torch.ones(1, 2), torch.tensor([[5.0, -5.0]]), snr_db=20.0)
    tensor([[1.1000, 0.9000]])
    """
    levels = ratio_or_zero(rms(waves), rms(noise)) * 10 ** (-snr_db / 20) * strength
    return torch.addcmul(waves, noise, levels)


def coloured(draws: ClipRNG, exponent: float, num_samples: int) -> Tensor:
    """Gaussian noise whose amplitude goes with frequency to the `exponent`; nothing at 0 Hz.

    White noise has a white spectrum, so the spectrum is what is drawn: one transform, not two.

    Shape: → (B, T), at no level in particular

    >>> coloured(ClipRNG(0, torch.arange(2)), EXPONENTS["pink"], 1000).shape
    torch.Size([2, 1000])
    """
    num_bins = num_samples // 2 + 1
    parts = draws.normal("coloured noise", 2 * num_bins)
    spectrum = torch.view_as_complex(parts.view(-1, num_bins, 2))
    scale = torch.arange(num_bins, device=parts.device).clamp(min=1) ** exponent
    scale[0] = 0.0
    return sp.wave_of(spectrum * scale, num_samples)


def sine(draws: ClipRNG, num_samples: int, sample_rate: int) -> Tensor:
    """A hum of 50·U + 3·N Hz, U uniform in [0, 1) and N normal, from a random phase.

    Shape: → (B, T)
    """
    hertz = draws.between("sine", 0.0, 50.0) + 3 * draws.normal("sine spread")
    times = torch.arange(num_samples, device=hertz.device) / sample_rate
    return torch.sin(2 * math.pi * (hertz * times + draws.uniform("sine phase")))


def _with_phase_noise(waves: Tensor, draws: ClipRNG, strength: AugmentationStrength) -> Tensor:
    """Each clip in STFT windows of a length that it draws."""
    changed = waves.clone()
    choices = draws.on("cpu").integers("phase window", 3)[:, 0]
    for index, window in enumerate(sp.stft_windows(strength.sample_rate)):
        change = partial(phase_noised, window=window, strength=strength.strength)
        apply_to_selected(changed, choices == index, draws, change)
    return changed


def phase_noised(waves: Tensor, draws: ClipRNG, window: int, strength: float = 1.0) -> Tensor:
    """Every STFT value turned by 0.01 to 0.02 radians times a normal number.

    Shape: (B, T) → (B, T)
    """
    spectra = sp.stft(waves, window)
    spread = draws.between("phase spread", 0.01, 0.02) * strength
    angles = spread * draws.normal("phase noise", spectra[0].numel())
    return sp.istft(sp.turned(spectra, angles.view_as(spectra)), window, waves.shape[1])


def with_background(
    waves: Tensor,
    options: Augment,
    draws: ClipRNG,
    strength: AugmentationStrength,
    recording: Tensor,
) -> Tensor:
    """A random stretch of `recording` under each clip that draws one; in place.

    A recording shorter than a clip is repeated.

    Shape: waves (B, T), recording (N,) → (B, T)
    """
    num_samples = waves.shape[1]
    tiled = recording.to(waves.device).repeat(max(1, -(-num_samples // len(recording))))

    def under(clips: Tensor, own: ClipRNG) -> Tensor:
        starts = own.integers("background", len(tiled) - num_samples + 1)[:, 0]
        ratios = own.between("background level", *options.background_snr_db)
        return with_noise(clips, tiled.unfold(0, num_samples, 1)[starts], ratios, strength.strength)

    apply_to_selected(
        waves, draws.bernoulli("background fires", options.background_p), draws, under
    )
    return waves
