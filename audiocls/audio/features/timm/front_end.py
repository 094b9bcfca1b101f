"""timm's networks as front ends.

Legend: B batch, T samples, F mel bands, L frames or places, D width.
"""

import functools

from torch import Tensor, nn

from audiocls.audio.features.embedder import Embedder
from audiocls.audio.features.embeddings import layers_of
from audiocls.audio.features.timm import Timm
from audiocls.encoders.images import ImageEncoder, load_image_encoder


class ImageLayers(nn.Module):
    """A network's stages of waveforms, by way of mel bands.

    Shape: (B, T) → list of (B, L, D)
    """

    def __init__(self, bands: nn.Module, encoder: ImageEncoder):
        super().__init__()
        self.bands = bands
        self.encoder = encoder

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        made: list[Tensor] = self.encoder(self.bands(waveforms))
        return made


def embedder(options: Timm, sample_rate: int) -> Embedder:
    """Return the frozen network behind mel bands at `sample_rate` Hz."""
    bands = options.bands().build(sample_rate)
    layers = ImageLayers(bands, load_image_encoder(options))
    framed = functools.partial(layers_of, options.layer) if options.pool == "frames" else None
    return Embedder(layers, sample_rate, framed)
