"""Padding of two-dimensional layers: symmetric, or `SAME` as TensorFlow and Flax have it.

Both give ⌈size / stride⌉ outputs for an odd kernel. Where a layer strides over an even size, `SAME`
has an odd number of zeros, the greater half at the end, and its windows begin one step later.

Legend: B batch, C channels, H height, W width.
"""

import math
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Padding = Literal["symmetric", "same"]
"""By kernel // 2 at both ends, or `SAME`."""


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and behind an axis of `size`.

    >>> [same_padding(size, kernel=3, stride=2) for size in (64, 101)]
    [(0, 1), (1, 1)]
    """
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def pad_same(image: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Return the image padded for a square kernel. Shape: (B, C, H, W) → (B, C, H + …, W + …)"""
    top, bottom = same_padding(image.shape[2], kernel, stride)
    left, right = same_padding(image.shape[3], kernel, stride)
    return F.pad(image, (left, right, top, bottom), value=value)


class SameConv2d(nn.Conv2d):
    """A square convolution with `SAME` padding; its tensors are named as those of a `Conv2d`.

    >>> import torch
    >>> SameConv2d(1, 4, 3, 2)(torch.zeros(2, 1, 64, 101)).shape
    torch.Size([2, 4, 32, 51])
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name for it)
        """Return the convolved image. Shape: (B, C, H, W) → (B, channels, …, …)"""
        return super().forward(pad_same(input, self.kernel_size[0], self.stride[0]))


class SameMaxPool2d(nn.Module):
    """Maximum of square windows with `SAME` padding, which is never the maximum.

    >>> import torch
    >>> SameMaxPool2d(3, 2)(-torch.ones(1, 1, 4, 5)).max().item()
    -1.0
    """

    def __init__(self, kernel: int, stride: int):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, image: Tensor) -> Tensor:
        """Return the maxima. Shape: (B, C, H, W) → (B, C, ⌈H / stride⌉, ⌈W / stride⌉)"""
        padded = pad_same(image, self.kernel, self.stride, -math.inf)
        return F.max_pool2d(padded, self.kernel, self.stride)


def conv2d(
    in_channels: int, channels: int, kernel: int, stride: int, groups: int, padding: Padding
) -> nn.Conv2d:
    """Return a square convolution without bias, for an odd kernel."""
    if padding == "same" and stride > 1:  # else both are one
        return SameConv2d(in_channels, channels, kernel, stride, groups=groups, bias=False)
    symmetric = kernel // 2
    return nn.Conv2d(in_channels, channels, kernel, stride, symmetric, groups=groups, bias=False)


def max_pool2d(kernel: int, stride: int, padding: Padding) -> nn.Module:
    """Return a maximum over square windows of an odd kernel."""
    is_same = padding == "same"
    return SameMaxPool2d(kernel, stride) if is_same else nn.MaxPool2d(kernel, stride, kernel // 2)
