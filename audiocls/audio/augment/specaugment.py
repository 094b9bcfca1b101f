"""SpecAugment's masks without time warping (Park et al., 2019, arXiv 1904.08779, section 2).

Legend: B batch, F mel bands, L frames. Masked values become 0, which is each band's mean once
features are standardised; on features that are not, 0 is a value like any other.
"""

import torch
from torch import Tensor

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG


def mask(features: Tensor, options: Augment, draws: ClipRNG) -> Tensor:
    """Mask `options.num_masks` stretches along each axis, widths uniform from 0 to the widest.

    Shape: features (B, F, L) → (B, F, L)

    >>> draws = ClipRNG(0, torch.arange(3))
    >>> masked = mask(torch.ones(3, 64, 101), Augment(freq_mask=8), draws)
    >>> (masked == 0).all(dim=2).sum(dim=1) <= 2 * 8
    tensor([True, True, True])
    """
    draws = draws.on(features.device)
    for axis, name, widest in ((1, "freq", options.freq_mask), (2, "time", options.time_mask)):
        if widest > 0:
            is_masked = masked_positions(
                features.shape[axis], widest, options.num_masks, name, draws
            )
            features = features.masked_fill(is_masked.unsqueeze(3 - axis), 0.0)
    return features


def masked_positions(size: int, widest: int, num_masks: int, name: str, draws: ClipRNG) -> Tensor:
    """Draw which positions of an axis of `size` are masked; a mask is never wider than the axis.

    Shape: → (B, size) bool
    """
    widths = draws.integers(f"{name} mask width", min(widest, size) + 1, num_masks)
    starts = draws.integers(f"{name} mask start", size - widths + 1, num_masks)
    positions = torch.arange(size, device=widths.device)
    begins, ends = starts.unsqueeze(2), (starts + widths).unsqueeze(2)
    return ((positions >= begins) & (positions < ends)).any(dim=1)
