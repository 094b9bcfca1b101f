"""Applying a change to the clips that drew it only, so that a change of half of them costs half.

Legend: B batch, b selected clips, T samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from audiocls.audio.augment.clip_rng import ClipRNG


def apply_to_selected(
    waveforms: Tensor,
    is_changed: Tensor,
    draws: ClipRNG,
    change: Callable[[Tensor, ClipRNG], Tensor],
) -> None:
    """Replace the selected rows by `change` of them, in place; the others keep every bit.

    Shape: waveforms (B, T), is_changed (B,) bool on the CPU; change: (b, T) → (b, T)
    """
    # `is_changed` is on the CPU so that the number of rows is known without a device sync.
    (rows,) = torch.nonzero(is_changed, as_tuple=True)
    if len(rows) > 0:
        there = rows.to(waveforms.device)
        waveforms[there] = change(waveforms[there], draws.of(rows).on(waveforms.device))
