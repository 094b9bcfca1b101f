"""Options of `hifigan` (torch-free); the network lies in `network.py`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from audiocls.models.options import require_frames
from audiocls.part import Part

if TYPE_CHECKING:
    from torch import nn


class HiFiGAN(Part):
    """One scale discriminator of HiFi-GAN as a classifier: the mean over time of its last layer.

    Unusual: no normalisation but weight norm, no pooling, wide grouped convolutions on raw audio.
    Groups shrink with `width` so that none has fewer channels than at the default width. Source:
    the regularisation study on ESC-50; Kong et al., 2020 (arXiv 2010.05646), section 2.3.
    """

    name: Literal["hifigan"] = "hifigan"
    width: int = Field(default=128, gt=0, multiple_of=8)
    """Channels of the first layer; the last hidden ones have eight times as many."""
    weight_norm: bool = True

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        from audiocls.models.hifigan import network

        in_channels, frames = in_shape
        require_frames(self.name, frames, 1, "an empty clip has no class")
        return network.HiFiGAN(
            in_channels, num_classes, width=self.width, weight_norm=self.weight_norm
        )
