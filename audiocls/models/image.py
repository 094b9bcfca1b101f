"""Features as images, in the layout in which convolutions are fast.

Legend: B batch, C channels, F mel bands, L frames.
"""

import torch
from torch import Tensor


def in_channels_last(image: Tensor) -> Tensor:
    """Return the image in channels_last; as it is where several trials are computed as one.

    Vectorised over trials (`torch.func.vmap`) there is no such layout.

    Shape: (B, C, 1, L) → the same
    """
    if torch._C._functorch.maybe_current_level() is not None:
        return image
    return image.contiguous(memory_format=torch.channels_last)


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
