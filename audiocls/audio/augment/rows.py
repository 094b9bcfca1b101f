"""Changing only the clips that drew it: a change that half of the clips get costs half.

Legend: B batch, T samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from audiocls.audio.augment.clip_rng import ClipRNG


def apply_to_selected(
    waves: Tensor, is_changed: Tensor, draws: ClipRNG, change: Callable[[Tensor, ClipRNG], Tensor]
) -> None:
    """Writes `change` of those rows over them, in place; the others keep every bit.

    `is_changed` is on the CPU: how many clips change is known without waiting for the device.

    Shape: waves (B, T), is_changed (B,) bool; change: (b, T) → (b, T)
    """
    (rows,) = torch.nonzero(is_changed, as_tuple=True)
    if len(rows) > 0:
        there = rows.to(waves.device)
        waves[there] = change(waves[there], draws.of(rows).on(waves.device))
