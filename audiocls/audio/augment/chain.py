"""Everything that may happen to the waves of a training batch before they are mixed, in order.

Legend: B batch, T samples, N samples of background recordings.
"""

from functools import partial

from torch import Tensor
from torch.nn.functional import pad

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.noise import noisy, with_background
from audiocls.audio.augment.rows import apply_to_selected
from audiocls.audio.augment.spectral import resampled
from audiocls.audio.augment.transforms import AugmentationStrength, transformed
from audiocls.audio.augment.waveform import time_shift, windows


def augment_waveforms(
    waves: Tensor,
    options: Augment,
    sample_rate: int,
    draws: ClipRNG,
    background: Tensor | None = None,
) -> Tensor:
    """Gain, shift, transforms, noise, background, resampling: whichever are asked for.

    What a clip becomes depends on its own draws alone, not on the batch; silence stays finite.
    Only resampling is drawn per batch by EAT; here every clip draws its own factor. `waves`
    themselves are not changed.

    Shape: waves (B, T), background (N,) → (B, T)

    >>> import torch
    >>> options = Augment(transforms=("neg",), transform_p=1.0)
    >>> augment_waveforms(torch.ones(1, 3), options, 16000, ClipRNG(0, torch.tensor([5])))
    tensor([[-1., -1., -1.]])
    """
    if not options.changes_samples:
        return waves
    draws, strength = draws.on("cpu"), AugmentationStrength(sample_rate, options.strength)
    waves = _shift(_gain(waves, options, draws, strength), options, draws, strength).clone()
    if options.transforms:
        waves = transformed(waves, options, draws, strength)
    if options.noises:
        waves = noisy(waves, options, draws, strength)
    if options.background:
        assert background is not None, "options.background: open_background(it) was not passed on"
        waves = with_background(waves, options, draws, strength, background)
    return _resample(waves, options, draws, strength)


def crop_offsets(slack: Tensor, draws: ClipRNG) -> Tensor:
    """Where a random crop begins: anywhere from the first sample to the last that leaves enough.

    Shape: slack (B,) samples to spare → (B,) int64

    >>> import torch
    >>> offsets = crop_offsets(torch.tensor([0, 1000]), ClipRNG(0, torch.arange(2)))
    >>> offsets[0].item(), 0 <= offsets[1].item() <= 1000
    (0, True)
    """
    return draws.integers("crop", slack.unsqueeze(1) + 1)[:, 0]


def _gain(
    waves: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    if options.gain_db == 0:
        return waves
    most = options.gain_db * strength.strength
    return waves * 10 ** (draws.on(waves.device).between("gain", -most, most) / 20)


def _shift(
    waves: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    most = min(waves.shape[1], round(options.shift_s * strength.strength * strength.sample_rate))
    if most == 0:
        return waves
    shifts = draws.on(waves.device).integers("shift", 2 * most + 1)[:, 0] - most
    return time_shift(waves, shifts, most)


def _resample(
    waves: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    """In place."""
    if options.resample_p == 0:
        return waves
    choices = draws.integers("resample", len(options.resample_factors))[:, 0]
    fires = draws.bernoulli("resample fires", strength.bernoulli(options.resample_p))
    for index, factor in enumerate(options.resample_factors):
        apply_to_selected(
            waves, fires & (choices == index), draws, partial(_at_rate, factor=factor)
        )
    return waves


def _at_rate(waves: Tensor, draws: ClipRNG, factor: float) -> Tensor:
    """Resampled, then a random stretch of what is too long, or zeros after what is too short."""
    num_samples = waves.shape[1]
    changed = resampled(waves, factor)
    spare = changed.shape[1] - num_samples
    if spare <= 0:
        return pad(changed, (0, -spare))
    return windows(changed, draws.integers("resample start", spare + 1)[:, 0], num_samples)
