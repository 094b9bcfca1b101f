"""The number of frames inside EAT, layer by layer (torch-free arithmetic).

Legend: T samples, L frames.
"""

from collections.abc import Sequence
from functools import reduce

LATE_FACTORS = (2, 2)
"""After the `factors` of the options, each behind three dilated residual blocks."""
DILATIONS = (1, 3, 9)
KERNEL = 15
"""Frames of a residual block's depthwise convolution, before its dilation."""
START_KERNEL = 7
"""Samples of the first convolution."""


def is_followed_by_block(index: int) -> bool:
    """Whether a residual block follows this one of the downsamplings by `factors`.

    Every other one has it, the first included.
    """
    return index % 2 == 0


def num_tokens(num_samples: int, factors: Sequence[int]) -> int:
    """Return the number of frames that reach the transformer.

    >>> num_tokens(114_688, (4, 4, 4, 4))  # EAT on 5.2 s of ESC-50 at 22,050 Hz
    112
    """
    return reduce(_after, (*factors, *LATE_FACTORS), num_samples)


def shortest_clip(factors: Sequence[int]) -> int:
    """Return the fewest samples for which every reflection padding has enough frames.

    Worked out from the last layer to the first. Usually the dilation of 9 decides: it reflects 63
    frames of what is left before the last downsampling.

    >>> shortest_clip((4, 4, 4, 4))
    32257
    """
    frames = 1
    for factor in reversed(LATE_FACTORS):
        frames = max(_before(factor, frames), _to_reflect(max(DILATIONS)))
    for index, factor in reversed(list(enumerate(factors))):
        if is_followed_by_block(index):
            frames = max(frames, _to_reflect(1))
        frames = _before(factor, frames)
    return max(frames, START_KERNEL // 2 + 1)


def _to_reflect(dilation: int) -> int:
    """Return the frames that a block's padding needs: P + 1 to reflect P, without the outermost."""
    return dilation * (KERNEL // 2) + 1


def _after(frames: int, factor: int) -> int:
    """Return the frames after a downsampling of L frames."""
    # The even kernel of an odd factor gains a frame; the low-pass then keeps ⌈L / factor⌉.
    return -(-(frames + factor % 2) // factor)


def _before(factor: int, frames: int) -> int:
    """Return the fewest frames from which a downsampling makes `frames`, and can reflect."""
    gained = factor % 2
    enough_to_keep = factor * (frames - 1) + 1 - gained
    enough_to_reflect = factor + 1 - gained
    enough_for_the_kernel = (factor + 1) // 2 + 1
    return max(enough_to_keep, enough_to_reflect, enough_for_the_kernel)
