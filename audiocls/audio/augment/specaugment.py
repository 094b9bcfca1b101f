"""SpecAugment's masks without time warping (Park et al., 2019, arXiv 1904.08779, section 2).

Legend: B batch, F mel bands, L frames. Masked values become 0, which is each band's mean once
features are standardised; on features that are not, 0 is a value like any other.
"""

import torch
from torch import Tensor

from audiocls.audio.augment import Augment
from audiocls.audio.augment.draws import Draws


def mask(features: Tensor, options: Augment, draws: Draws) -> Tensor:
    """`options.num_masks` masks along each axis, of widths from 0 to the widest, alike likely.

    Shape: features (B, F, L) → (B, F, L)

    >>> draws = Draws(0, torch.arange(3))
    >>> masked = mask(torch.ones(3, 64, 101), Augment(freq_mask=8), draws)
    >>> (masked == 0).all(dim=2).sum(dim=1) <= 2 * 8
    tensor([True, True, True])
    """
    draws = draws.on(features.device)
    for axis, name, widest in ((1, "freq", options.freq_mask), (2, "time", options.time_mask)):
        if widest > 0:
            is_masked = covered(features.shape[axis], widest, options.num_masks, name, draws)
            features = features.masked_fill(is_masked.unsqueeze(3 - axis), 0.0)
    return features


def covered(size: int, widest: int, num_masks: int, name: str, draws: Draws) -> Tensor:
    """Which positions of an axis the masks cover; a mask is never wider than the axis.

    Shape: → (B, size) bool
    """
    widths = draws.integers(f"{name} mask width", min(widest, size) + 1, num_masks)
    starts = draws.integers(f"{name} mask start", size - widths + 1, num_masks)
    positions = torch.arange(size, device=widths.device)
    begins, ends = starts.unsqueeze(2), (starts + widths).unsqueeze(2)
    return ((positions >= begins) & (positions < ends)).any(dim=1)


def mask_bands_and_frames(
    features: Tensor, freq_mask: int, time_mask: int, num_masks: int, generator: torch.Generator
) -> Tensor:
    """`num_masks` masks along each axis, widths uniform in 0 … `freq_mask` and 0 … `time_mask`.

    Shape: features (B, F, L) → (B, F, L)
    """
    batch, bands, frames = features.shape
    keep_bands = ~_masked(batch, bands, freq_mask, num_masks, generator).unsqueeze(2)
    keep_frames = ~_masked(batch, frames, time_mask, num_masks, generator).unsqueeze(1)
    return features * keep_bands.to(features.device) * keep_frames.to(features.device)


def _masked(
    batch: int, size: int, width: int, num_masks: int, generator: torch.Generator
) -> Tensor:
    """Which positions the masks cover, (B, size); a mask is never wider than the axis."""
    draws = torch.rand(2, batch, num_masks, 1, generator=generator)
    widths = (draws[0] * (min(width, size) + 1)).floor()
    starts = (draws[1] * (size - widths + 1)).floor()
    positions = torch.arange(size)
    return ((positions >= starts) & (positions < starts + widths)).any(dim=1)
