"""Features as an image of one channel, for the two-dimensional models.

Legend: B batch, F mel bands, L frames.
"""

from torch import Tensor


def as_image(features: Tensor) -> Tensor:
    """Return an image whose height is the bands and whose width the frames, in channels_last.

    Shape: (B, F, L) → (B, 1, F, L)

    >>> import torch
    >>> as_image(torch.zeros(2, 64, 101)).stride()
    (6464, 1, 101, 1)
    """
    # With one channel both layouts fit the same strides: contiguous(memory_format=channels_last)
    # changes nothing, and the convolutions would run in the slower layout. So the channel is
    # appended where channels_last has it, and moved.
    return features.contiguous().unsqueeze(-1).permute(0, 3, 1, 2)
