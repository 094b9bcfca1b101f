"""SpecAugment's masks without time warping (Park et al., 2019, arXiv 1904.08779, section 2).

Legend: B batch, F mel bands, L frames. Masked values become 0, which is each band's mean once
features are standardised.
"""

import torch
from torch import Tensor


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
