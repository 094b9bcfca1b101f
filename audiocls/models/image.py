"""Features as a picture of one channel, for the two-dimensional models.

Legend: B batch, F mel bands, L frames.
"""

from torch import Tensor


def as_image(features: Tensor) -> Tensor:
    """Bands become the height and frames the width, in the strides of channels_last.

    With one channel both layouts fit the same strides: `contiguous(memory_format=channels_last)`
    changes nothing, and the convolutions would run in the slower one. So the channel is appended
    where channels_last has it, and moved.

    Shape: (B, F, L) → (B, 1, F, L)

    >>> import torch
    >>> as_image(torch.zeros(2, 64, 101)).stride()
    (6464, 1, 101, 1)
    """
    return features.contiguous().unsqueeze(-1).permute(0, 3, 1, 2)
