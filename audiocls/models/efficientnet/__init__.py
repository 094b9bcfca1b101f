"""Options of `efficientnet_b0` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from audiocls.models.options import Dropout, image_problems, require_compatible
from audiocls.options import Options, added

if TYPE_CHECKING:
    from torch import nn

Multiplier = Annotated[float, Field(gt=0.0, le=10.0)]


class EfficientNet(Options):
    """EfficientNet over the features as an image: inverted bottlenecks, squeeze and excitation.

    Notable: the squeeze has no bias and a quarter of the channels that enter its block; stochastic
    depth. Source: audax on Speech Commands, 4.0 M parameters; Tan and Le, 2019 (arXiv 1905.11946),
    table 1. On a CPU choose width 0.25. Not for raw audio, which has no bands.
    """

    name: Literal["efficientnet_b0"] = "efficientnet_b0"
    width: Multiplier = 1.0
    """Multiplies the channels of b0; the results are rounded to multiples of 8."""
    depth: Multiplier = 1.0
    """Multiplies the blocks of each stage of b0, rounded up."""
    stochastic_depth: Dropout = 0.2
    """Probability of dropping the last block's branch; the others' grow linearly up to it."""
    dropout: Dropout = 0.0
    """Probability of dropout before the Linear."""
    padding: Literal["symmetric", "same"] = added("symmetric")
    """Where a layer strides: kernel // 2 zeros at both ends, or TensorFlow's and Flax' `SAME`,
    which over an even size has the odd zero at the end."""
    norm_eps: float = added(1e-3, gt=0.0)
    """Added to each variance by BatchNorm, by default as the authors' code does. With 1e-5, torch's
    and audax', gradients of a silent batch, of variance 0, overflow."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return image_problems(in_shape)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.efficientnet import network

        require_compatible(self, in_shape)
        return network.EfficientNet(
            num_classes,
            width=self.width,
            depth=self.depth,
            stochastic_depth=self.stochastic_depth,
            dropout=self.dropout,
            style=network.Style(self.padding, self.norm_eps),
        )
