"""Options of `hifigan` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from audiocls.models.options import EMPTY, frame_problems, require_compatible
from audiocls.options import Options

if TYPE_CHECKING:
    from torch import nn


class HiFiGAN(Options):
    """One scale discriminator of HiFi-GAN as a classifier: the mean over time of its last layer.

    Notable: no normalisation but weight norm, no pooling, wide grouped convolutions on raw audio.
    Groups shrink with `width` so that none has fewer channels than at the default width. Source:
    the regularisation study on ESC-50; Kong et al., 2020 (arXiv 2010.05646), section 2.3.
    """

    name: Literal["hifigan"] = "hifigan"
    width: int = Field(default=128, gt=0, multiple_of=8)
    """Channels of the first layer; the last hidden ones have eight times as many."""
    weight_norm: bool = True
    """Whether each convolution's weights are split into direction and magnitude."""

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return frame_problems(in_shape[1], 1, EMPTY)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the untrained network; raise `ConfigError` as `check` has it."""
        from audiocls.models.hifigan import network

        require_compatible(self, in_shape)
        return network.HiFiGAN(
            in_shape[0], num_classes, width=self.width, weight_norm=self.weight_norm
        )
