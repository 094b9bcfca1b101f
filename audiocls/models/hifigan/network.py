"""HiFi-GAN's scale discriminator as a classifier (Kong et al., 2020, arXiv 2010.05646).

Notable, and different from the original:
- one discriminator on the waveform as it is, of the three at three scales;
- K logits instead of one score, as the mean over time of the last layer;
- strides 4, 4, 4, 4 where the authors' code has 2, 2, 4, 4;
- weight norm may be switched off, and the width scaled.

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

    Save its `state_dict`, not the module: weight norm cannot be pickled.

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
            # So that a group keeps at least the channels that it has at width 128.
            fitting = math.gcd(groups, width // 8)
            layer = _conv(in_channels, multiple * width, kernel, stride, fitting)
            self.layers.append(with_weight_norm(layer) if weight_norm else layer)
            in_channels = multiple * width
        last = _conv(in_channels, num_classes, 3, 1, 1)
        self.head = with_weight_norm(last) if weight_norm else last

    def forward(self, audio: Tensor) -> Tensor:
        """Return logits.

        Shape: (B, C, T) → (B, K) for any T of at least 1
        """
        hidden = audio
        for layer in self.layers:
            hidden = F.leaky_relu(layer(hidden), SLOPE)
        logits: Tensor = self.head(hidden).mean(dim=-1)
        return logits


def _conv(in_channels: int, channels: int, kernel: int, stride: int, groups: int) -> nn.Conv1d:
    return nn.Conv1d(in_channels, channels, kernel, stride, padding=kernel // 2, groups=groups)
