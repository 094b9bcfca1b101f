"""A network of timm under a new last layer.

Legend: B batch, F mel bands, L frames or places, D width.
"""

import torch
from torch import Tensor, nn

from audiocls.encoders.images import ImageEncoder, load_image_encoder
from audiocls.models.fine_tuned import FineTuned
from audiocls.models.timm import TimmModel


class LastPlaces(nn.Module):
    """What the network's own head would get. Shape: (B, F, L) → (B, L, D)"""

    def __init__(self, encoder: ImageEncoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> Tensor:
        return self.encoder.last(image)


def build(options: TimmModel, num_classes: int) -> FineTuned:
    """Return the network, the encoder's weights as they are and the last layer's random."""
    with torch.random.fork_rng(devices=[]):  # loading draws, or not, and the last layer goes on
        encoder = load_image_encoder(options, options.weights == "random")
    if options.checkpointing:
        encoder.keep_no_activations()
    depths = {f"encoder.network.{name}": depth for name, depth in encoder.depths().items()}
    return FineTuned(LastPlaces(encoder), depths, encoder.width, num_classes, options)
