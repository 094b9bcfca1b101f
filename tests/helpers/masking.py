"""SpecAugment of one batch, drawn and applied."""

from torch import Tensor

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.spec_augment import draw_masks, masked


def mask(features: Tensor, options: Augment, draws: ClipRNG, fill: Tensor | None = None) -> Tensor:
    """Mask the features of the clips of `draws`. Shape: features (B, F, L) → (B, F, L)"""
    return masked(
        features, draw_masks(options, features.shape[1:], draws.on(features.device)), fill
    )
