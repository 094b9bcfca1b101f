"""The chain of waveform augmentations of a training batch, in order, up to mixing.

Legend: B batch, T samples, N samples of background recordings.
"""

from functools import partial

from torch import Tensor
from torch.nn.functional import pad

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.noise import add_background, add_random_noise
from audiocls.audio.augment.rows import apply_to_selected
from audiocls.audio.augment.spectral import resample
from audiocls.audio.augment.transforms import AugmentationStrength, apply_transforms
from audiocls.audio.augment.waveform import time_shift, windows


def augment_waveforms(
    waveforms: Tensor,
    options: Augment,
    sample_rate: int,
    draws: ClipRNG,
    background: Tensor | None = None,
) -> Tensor:
    """Apply gain, shift, transforms, noise, background and resampling, as far as `options` ask.

    `sample_rate` is that of the waveforms and of `background`, in Hz. The result for a clip depends
    on its own draws alone, not on the batch, unless `draw_per: batch` gives all clips of a batch
    the same resampling. Silence stays finite. The input is not changed.

    Shape: waveforms (B, T), background (N,) → (B, T)

    >>> import torch
    >>> options = Augment(transforms=("neg",), transform_p=1.0)
    >>> augment_waveforms(torch.ones(1, 3), options, 16000, ClipRNG(0, torch.tensor([5])))
    tensor([[-1., -1., -1.]])
    """
    if not options.changes_samples:
        return waveforms
    # Code of one's own goes from clip to clip on the host, which therefore has to know the clips.
    draws = draws.on("cpu" if options.has_own_transform else waveforms.device)
    strength = AugmentationStrength(sample_rate, options.strength)
    waveforms = _shift(_gain(waveforms, options, draws, strength), options, draws, strength).clone()
    if options.transforms:
        waveforms = apply_transforms(waveforms, options, draws, strength)
    if options.noises:
        waveforms = add_random_noise(waveforms, options, draws, strength)
    if options.background:
        assert background is not None, "options.background: open_background(it) was not passed on"
        waveforms = add_background(waveforms, options, draws, strength, background)
    return _resample(waveforms, options, draws, strength)


def crop_offsets(slack: Tensor, draws: ClipRNG) -> Tensor:
    """Draw the first sample of a random crop of each clip, uniform in 0 … slack.

    Shape: slack (B,), clip length less crop length in samples → (B,) int64

    >>> import torch
    >>> offsets = crop_offsets(torch.tensor([0, 1000]), ClipRNG(0, torch.arange(2)))
    >>> offsets[0].item(), 0 <= offsets[1].item() <= 1000
    (0, True)
    """
    return draws.integers("crop", slack.unsqueeze(1) + 1)[:, 0]


def _gain(
    waveforms: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    """Scale each clip by the gain that it draws. Shape: waveforms (B, T) → (B, T)"""
    if options.gain_db == 0:
        return waveforms
    most = options.gain_db * strength.strength
    return waveforms * 10 ** (draws.on(waveforms.device).between("gain", -most, most) / 20)


def _shift(
    waveforms: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    """Shift each clip by the time that it draws. Shape: waveforms (B, T) → (B, T)"""
    most = min(
        waveforms.shape[1], round(options.shift_s * strength.strength * strength.sample_rate)
    )
    if most == 0:
        return waveforms
    shifts = draws.on(waveforms.device).integers("shift", 2 * most + 1)[:, 0] - most
    return time_shift(waveforms, shifts, most)


def _resample(
    waveforms: Tensor, options: Augment, draws: ClipRNG, strength: AugmentationStrength
) -> Tensor:
    """Resample the clips that draw it, in place.

    Shape: waveforms (B, T) → (B, T)
    """
    if options.resample_p == 0:
        return waveforms
    draws = draws.per_batch()
    choices = draws.integers("resample", len(options.resample_factors))[:, 0]
    fires = draws.bernoulli("resample fires", strength.scale_probability(options.resample_p))
    for index, factor in enumerate(options.resample_factors):
        apply_to_selected(
            waveforms, fires & (choices == index), draws, partial(_at_rate, factor=factor)
        )
    return waveforms


def _at_rate(waveforms: Tensor, draws: ClipRNG, factor: float) -> Tensor:
    """Resample, then crop longer clips at random and zero-pad shorter ones.

    Shape: waveforms (B, T) → (B, T)
    """
    num_samples = waveforms.shape[1]
    changed = resample(waveforms, factor)
    spare = changed.shape[1] - num_samples
    if spare <= 0:
        return pad(changed, (0, -spare))
    return windows(changed, draws.integers("resample start", spare + 1)[:, 0], num_samples)
