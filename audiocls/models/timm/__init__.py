"""Options of `timm` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from audiocls.models.fine_tuning import FineTuning
from audiocls.models.options import image_problems, require_compatible

if TYPE_CHECKING:
    from torch import nn


class TimmModel(FineTuning):
    """A network for images, pretrained on them and trained on with mel bands, by timm.

    Takes any bands × frames as an image of one channel. Needs `audiocls[timm]`; the weights have a
    licence of their own. Where `features.name=logmel` is standardised (the default), so is the
    image.
    """

    name: Literal["timm"] = "timm"

    @property
    def needed_extras(self) -> tuple[str, ...]:
        return ("timm", "encoders") if self.lora.rank else ("timm",)

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (bands, frames) cannot be classified; empty if they can."""
        return image_problems(in_shape)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the network with its first weights; raise `ConfigError` as `check` has it."""
        from audiocls.models.timm import network

        require_compatible(self, in_shape)
        return network.build(self, num_classes)
