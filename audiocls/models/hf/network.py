"""An encoder of transformers under a new last layer.

Legend: B batch, C channels, L frames, D width.
"""

import torch
from torch import Tensor, nn

from audiocls.encoders.depth import depths_by_blocks
from audiocls.encoders.loaded import (
    Encoder,
    as_inputs,
    blocks_of,
    load_encoder,
    load_processor,
)
from audiocls.models.fine_tuned import FineTuned
from audiocls.models.hf import HFModel


class LastLayer(nn.Module):
    """An encoder's last layer, from features as `hf_inputs` has them.

    Shape: (B, C, L) → (B, L, D)
    """

    def __init__(self, encoder: Encoder, num_axes: int, is_by_bands: bool):
        super().__init__()
        self.encoder = encoder
        self.num_axes, self.is_by_bands = num_axes, is_by_bands

    def forward(self, features: Tensor) -> Tensor:
        return self.encoder.last(as_inputs(features, self.num_axes, self.is_by_bands))


def build(options: HFModel, num_classes: int) -> FineTuned:
    """Return the network, the encoder's weights as they are and the last layer's random."""
    processor = load_processor(options)
    with torch.random.fork_rng(devices=[]):  # loading draws, or not, and the last layer goes on
        is_random = options.weights == "random"
        encoder = load_encoder(options, processor.input_name, "eager", is_random)
    if options.checkpointing:
        encoder.keep_no_activations()
    layer = LastLayer(encoder, processor.num_axes, processor.is_by_bands)
    depths = depths_by_blocks(layer, f"encoder.network.{blocks_of(encoder.network)}")
    return FineTuned(layer, depths, encoder.width, num_classes, options)
