"""SpecAugment without time warping, and a random equaliser: drawn for many clips at once.

Park et al., 2019, arXiv 1904.08779, section 2; the equaliser is the linear kind of FilterAugment
(Nam et al., 2022, arXiv 2110.03282), with bands of equal width. A mask is a clip's own in an epoch,
whatever batch it is in: so those of an epoch are drawn for thousands of clips at once, which costs
a fraction of drawing them batch by batch, and both passes of SAM have the same.

Legend: B batch, N clips, F mel bands, L frames.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG

CHUNK_CLIPS = 4096
"""Most clips whose masks are held at once, about a kilobyte each, unless one batch has more."""
Span = tuple[int, int]
"""First clip of a batch within the epoch's order, and the one after its last."""


NUM_NODES = 6
"""Bands at which an equaliser's gains are drawn; between them gains are interpolated."""


@dataclass(frozen=True)
class Masks:
    """Which positions of the features of some clips are masked; none along an axis without."""

    bands: Tensor | None = None
    """(B, F) bool."""
    frames: Tensor | None = None
    """(B, L) bool."""
    gains: Tensor | None = None
    """(B, F), added to standardised features before any are masked."""

    def span(self, start: int, stop: int) -> "Masks":
        """Return the masks of the clips `start` … `stop` - 1, without copying them."""
        bands, frames, gains = (
            None if drawn is None else drawn[start:stop]
            for drawn in (self.bands, self.frames, self.gains)
        )
        return Masks(bands, frames, gains)


UNMASKED = Masks()


def draw_masks(options: Augment, shape: Sequence[int], draws: ClipRNG) -> Masks:
    """Draw `options.num_masks` stretches along each axis, widths uniform from 0 to the widest.

    Args:
        shape: (F, L) of one clip's features; a mask is never wider than the axis.
    """
    widest = {"freq": options.freq_mask, "time": options.time_mask}
    bands, frames = (
        _masked_positions(size, widest[name], options.num_masks, name, draws)
        if widest[name] > 0
        else None
        for name, size in zip(widest, shape, strict=True)
    )
    gains = _gains(options.equalise, shape[0], draws) if options.equalise > 0 else None
    return Masks(bands, frames, gains)


def _gains(most: float, num_bands: int, draws: ClipRNG) -> Tensor:
    """Draw gains within ±`most` at `NUM_NODES` bands, and interpolate. Shape: → (B, F) float32"""
    nodes = draws.between("equaliser gain", -most, most, NUM_NODES)
    places = torch.linspace(0, NUM_NODES - 1, num_bands, device=nodes.device)
    below = places.long().clamp(max=NUM_NODES - 2)
    return torch.lerp(nodes[:, below], nodes[:, below + 1], places - below)


def _masked_positions(size: int, widest: int, num_masks: int, name: str, draws: ClipRNG) -> Tensor:
    """Draw which positions of an axis of `size` are masked. Shape: → (B, size) bool"""
    widths = draws.integers(f"{name} mask width", min(widest, size) + 1, num_masks)
    starts = draws.integers(f"{name} mask start", size - widths + 1, num_masks)
    positions = torch.arange(size, device=widths.device)
    begins, ends = starts.unsqueeze(2), (starts + widths).unsqueeze(2)
    return ((positions >= begins) & (positions < ends)).any(dim=1)


def masks_of_batches(
    options: Augment, shape: Sequence[int] | None, draws: ClipRNG, spans: Sequence[Span]
) -> Iterator[Masks]:
    """Yield the masks of each batch of an epoch, drawn `CHUNK_CLIPS` at a time.

    Args:
        shape: (F, L) of one clip's features; needed only where `options` mask any.
        draws: of all clips of the epoch, in its order.
        spans: the batches, in order.
    """
    if shape is None or not options.changes_bands:
        yield from itertools.repeat(UNMASKED, len(spans))
        return
    for chunk in _chunks(spans):
        first = chunk[0][0]
        drawn = draw_masks(options, shape, draws.span(first, chunk[-1][1]))
        yield from (drawn.span(start - first, stop - first) for start, stop in chunk)


def _chunks(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """Yield as many batches at a time as have `CHUNK_CLIPS` clips in all, one at least."""
    chunk: list[Span] = []
    for span in spans:
        if chunk and span[1] - chunk[0][0] > CHUNK_CLIPS:
            yield chunk
            chunk = []
        chunk.append(span)
    if chunk:
        yield chunk


def masked(features: Tensor, masks: Masks, fill: Tensor | None = None) -> Tensor:
    """Equalise, and replace masked values by `fill`, or else by 0, the mean of a standardised band.

    Shape: features (B, F, L), fill (1, F, 1) → (B, F, L)

    >>> draws = ClipRNG(0, torch.arange(3))
    >>> masks = draw_masks(Augment(freq_mask=8), (64, 101), draws)
    >>> (masked(torch.ones(3, 64, 101), masks) == 0).all(dim=2).sum(dim=1) <= 2 * 8
    tensor([True, True, True])
    """
    if masks.gains is not None:
        features = features + masks.gains.unsqueeze(2)
    axes = [
        axis.unsqueeze(dim)
        for axis, dim in ((masks.bands, 2), (masks.frames, 1))
        if axis is not None
    ]
    if not axes:
        return features
    # One pass over the features, where filling them axis by axis takes four.
    where = functools.reduce(torch.logical_or, axes)
    # On a CPU `masked_fill` takes 1.6 times as long; a 0 on the host would make a GPU wait.
    return torch.where(where, features.new_zeros(()) if fill is None else fill, features)
