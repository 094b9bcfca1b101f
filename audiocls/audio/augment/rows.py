"""Applying a change to the clips that drew it only.

Where the host knows which these are, they alone are computed, so that a change of half of them
costs half. Where an accelerator has drawn it, every clip is computed, and the result chosen there:
to ask would make the host wait, and a number of clips that differs from batch to batch would keep
a step from being captured as a graph.

Legend: B batch, b selected clips, T samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from audiocls.audio.augment.clip_rng import EVERY, ClipRNG, Rows


def apply_to_selected(
    waveforms: Tensor,
    is_changed: Tensor,
    draws: ClipRNG,
    change: Callable[[Tensor, ClipRNG], Tensor],
) -> None:
    """Replace the selected rows by `change` of them, in place; the others keep every bit.

    Shape: waveforms (B, T), is_changed (B,) bool; change: (b, T) → (b, T)
    """
    if (rows := rows_to_compute(is_changed)) is not None:
        row_draws = draws.on(waveforms.device).of(rows)
        put(waveforms, rows, change(taken(waveforms, rows), row_draws), is_changed)


def rows_to_compute(is_due: Tensor) -> Rows | None:
    """Return the due rows, or every row where an accelerator alone knows them; none if none is due.

    Shape: is_due (B,) bool → (b,) int64 on the CPU
    """
    if not is_known_to_host(is_due):
        return EVERY
    (rows,) = torch.nonzero(is_due, as_tuple=True)
    return rows if len(rows) > 0 else None


def is_known_to_host(drawn: Tensor) -> bool:
    """Whether the host may read what was drawn without waiting for an accelerator."""
    return drawn.device.type == "cpu"


def taken(values: Tensor, rows: Rows) -> Tensor:
    """Return rows of `values`. Shape: (B, …) → (b, …)"""
    return values if isinstance(rows, slice) else values[rows.to(values.device)]


def put(values: Tensor, rows: Rows, changed: Tensor, is_due: Tensor) -> None:
    """Write what was computed of `rows` into those of them that are due, in place.

    Shape: values (B, n), changed (b, n), is_due (B,) bool
    """
    if isinstance(rows, slice):
        values.copy_(torch.where(is_due.unsqueeze(1), changed, values))
    else:
        values[rows.to(values.device)] = changed
