"""HiFi-GAN's scale discriminator as a classifier (Kong et al., 2020, arXiv 2010.05646).

Legend: B batch, C channels, T samples, L frames, K classes.
"""

import math

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm as with_weight_norm

SLOPE = 0.1

# (kernel, stride, groups at width 128, channels as a multiple of the width)
LAYERS = (
    (15, 1, 1, 1),
    (41, 4, 4, 1),
    (41, 4, 16, 2),
    (41, 4, 16, 4),
    (41, 4, 16, 8),
    (41, 1, 16, 8),
    (5, 1, 1, 8),
)


class HiFiGAN(nn.Module):
    """Grouped, strided convolutions; LeakyReLU between them; logits are the mean over time.

    A group keeps at least the channels that it has at width 128: the groups of a layer become
    gcd(groups, width / 8). Save its `state_dict`, not the module: weight norm cannot be pickled.

    Shape: (B, C, T) → (B, K)

    >>> import torch
    >>> HiFiGAN(1, 5, width=16)(torch.zeros(2, 1, 1000)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self, in_channels: int, num_classes: int, width: int = 128, weight_norm: bool = True
    ):
        super().__init__()
        self.layers = nn.ModuleList()
        for kernel, stride, groups, multiple in LAYERS:
            fitting = math.gcd(groups, width // 8)
            layer = _conv(in_channels, multiple * width, kernel, stride, fitting)
            self.layers.append(with_weight_norm(layer) if weight_norm else layer)
            in_channels = multiple * width
        last = _conv(in_channels, num_classes, 3, 1, 1)
        self.head = with_weight_norm(last) if weight_norm else last

    def forward(self, audio: Tensor) -> Tensor:
        hidden = audio
        for layer in self.layers:
            hidden = F.leaky_relu(layer(hidden), SLOPE)
        logits: Tensor = self.head(hidden).mean(dim=-1)
        return logits


def _conv(in_channels: int, channels: int, kernel: int, stride: int, groups: int) -> nn.Conv1d:
    return nn.Conv1d(in_channels, channels, kernel, stride, padding=kernel // 2, groups=groups)
