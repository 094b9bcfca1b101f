"""EAT's convolutional layers (Gazneli et al., 2022, arXiv 2204.11479, section 3.1).

Legend: B batch, C channels, L frames.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.models.eat.geometry import KERNEL

SLOPE = 0.2
WEIGHT_STD = 0.02


class Down(nn.Module):
    """Doubles the channels, then keeps every `factor`-th frame of a low-passed signal.

    The low-pass is a triangle of 2 · factor + 1 taps that sum to 1 (Zhang, 2019,
    arXiv 1904.11486); without it frequencies above the new Nyquist frequency would alias.

    >>> Down(3, 4)(torch.zeros(2, 3, 101)).shape
    torch.Size([2, 6, 26])
    """

    triangle: Tensor

    def __init__(self, channels: int, factor: int):
        super().__init__()
        self.factor = factor
        self.widen = normed(conv(channels, 2 * channels, factor + 1, bias=False))
        ramp = torch.arange(factor + 1.0) + 1
        triangle = torch.cat([ramp, ramp[:-1].flip(0)])
        taps = (triangle / triangle.sum()).expand(2 * channels, 1, -1)
        self.register_buffer("triangle", taps.clone(), persistent=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return twice the channels at 1 / `factor` of the rate.

        Shape: (B, C, L) → (B, 2 · C, ⌈L / factor⌉), for an odd factor of ⌈(L + 1) / factor⌉ frames
        """
        wide = self.widen(hidden)
        padded = reflected(wide, self.factor)
        return F.conv1d(padded, self.triangle, stride=self.factor, groups=wide.shape[1])


class ResBlock(nn.Module):
    """The sum of a linear, a non-linear pointwise and a non-linear depthwise branch.

    Unusual: nothing follows the sum, and no branch is the identity. The bias of the linear branch
    is undone by the next BatchNorm while training; it stays because the source has it.

    >>> ResBlock(4, dilation=3)(torch.zeros(2, 4, 50)).shape
    torch.Size([2, 4, 50])
    """

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.linear = conv(channels, channels, 1)
        self.pointwise = normed(conv(channels, channels, 1, bias=False))
        spread = conv(channels, channels, KERNEL, dilation, groups=channels, bias=False)
        self.depthwise = normed(spread)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the sum of the three branches.

        Shape: (B, C, L) → (B, C, L)
        """
        out: Tensor = self.linear(hidden) + self.pointwise(hidden) + self.depthwise(hidden)
        return out


class ReflectedConv1d(nn.Conv1d):
    """A convolution padded by reflection, the same bits each time also on a GPU."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name for it)
        """Return the convolution of the padded input.

        Shape: (B, C, L) → (B, C', L')
        """
        padding = int(self.padding[0])
        weight, bias, groups = self.weight, self.bias, self.groups
        padded = reflected(input, padding) if padding else input
        return F.conv1d(padded, weight, bias, self.stride, 0, self.dilation, groups)


def reflected(frames: Tensor, padding: int) -> Tensor:
    """Reflect `padding` frames at both ends, without the outermost one.

    Shape: (B, C, L) → (B, C, L + 2 · padding)

    >>> reflected(torch.arange(4.0).view(1, 1, 4), 2)[0, 0].tolist()
    [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 1.0]
    """
    if not frames.is_cuda:
        return F.pad(frames, (padding, padding), mode="reflect")
    return reflected_by_slices(frames, padding)


def reflected_by_slices(frames: Tensor, padding: int) -> Tensor:
    """Return what `reflected` does, by operations whose gradient adds up in one order on a GPU.

    Shape: (B, C, L) → (B, C, L + 2 · padding)
    """
    left = frames[..., 1 : padding + 1].flip(-1)
    right = frames[..., -padding - 1 : -1].flip(-1)
    return torch.cat([left, frames, right], dim=-1)


def conv(
    in_channels: int,
    channels: int,
    kernel: int,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = True,
) -> nn.Conv1d:
    """Return a reflection-padded convolution, weights N(0, 0.02²), biases 0.

    An odd kernel keeps the number of frames, an even one adds a frame.
    """
    layer = ReflectedConv1d(
        in_channels,
        channels,
        kernel,
        padding=dilation * (kernel // 2),
        padding_mode="reflect",
        dilation=dilation,
        groups=groups,
        bias=bias,
    )
    nn.init.normal_(layer.weight, std=WEIGHT_STD)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def normed(layer: nn.Conv1d) -> nn.Sequential:
    """Return the layer, BatchNorm and LeakyReLU(0.2)."""
    return nn.Sequential(
        layer, nn.BatchNorm1d(layer.out_channels), nn.LeakyReLU(SLOPE, inplace=True)
    )
