"""The door to timm: networks for images, which hear a spectrogram as an image of one channel.

The first layer's weights for three colours are summed, so that a grey image answers as before.

Legend: B batch, F mel bands, L frames or places, D width.
"""

import json
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from audiocls.encoders.hub import folder_of
from audiocls.encoders.options import Pretrained
from audiocls.errors import ConfigError


class ImageEncoder(nn.Module):
    """A network of timm as a function from an image to the places of every stage.

    Shape: (B, F, L) → list of (B, L, D)
    """

    def __init__(self, network: Any):
        super().__init__()
        self.network = network
        self.width = int(network.num_features)

    def forward(self, image: Tensor) -> list[Tensor]:
        stages = self.network.forward_intermediates(image.unsqueeze(1), intermediates_only=True)
        return [*(stage.flatten(2).transpose(1, 2) for stage in stages), self.last(image)]

    def last(self, image: Tensor) -> Tensor:
        """Return what the network's own head would get. Shape: (B, F, L) → (B, L, D)"""
        made: Tensor = self.network.forward_features(image.unsqueeze(1))
        if made.ndim == 3:
            return made
        by_channels = made if made.shape[1] == self.width else made.movedim(-1, 1)
        return by_channels.flatten(2).transpose(1, 2)

    def depths(self) -> dict[str, int]:
        """Return the depth of each parameter, as timm groups them."""
        from timm.models import group_parameters

        matcher = self.network.group_matcher(coarse=True)
        groups = group_parameters(self.network, matcher, reverse=True)
        return {name: int(groups[name]) for name, _ in self.network.named_parameters()}

    def keep_no_activations(self) -> None:
        """Compute activations again in the backward pass."""
        self.network.set_grad_checkpointing(True)


def _has_fixed_size(folder: Path) -> bool:
    """Whether the network takes images of the size alone that it was trained with."""
    facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return bool(facts.get("pretrained_cfg", {}).get("fixed_input_size"))


def load_image_encoder(options: Pretrained, is_random: bool = False) -> ImageEncoder:
    """Return a network of timm with its weights, or with random ones from the global generator.

    Raises:
        ConfigError: timm is missing, knows no such network, or weights do not fit it.
        DataError: the files are not here and cannot be downloaded.
    """
    where = f"the encoder {options.model}"
    folder = folder_of(options.source)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            import timm
        sized: dict[str, Any] = {"dynamic_img_size": True, "dynamic_img_pad": True}
        network = timm.create_model(
            f"local-dir:{folder}",
            pretrained=not is_random,
            in_chans=1,
            num_classes=0,
            **(sized if _has_fixed_size(folder) else {}),
        )
    except ModuleNotFoundError as error:
        fault = f"{error.name} is not installed; it is an extra: pip install 'audiocls[timm]'"
        raise ConfigError(where, [fault]) from error
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise ConfigError(where, [f"timm cannot build it: {error}"]) from error
    return ImageEncoder(network.float())
