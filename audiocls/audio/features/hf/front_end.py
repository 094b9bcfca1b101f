"""transformers' encoders and processors as front ends.

Legend: B batch, T samples, C channels (mel bands), L frames, D width.
"""

import functools
from typing import Protocol

import torch
from torch import Tensor, nn

from audiocls.audio.features.embedder import Embedder
from audiocls.audio.features.embeddings import layers_of
from audiocls.audio.features.hf import HF, HFInputs
from audiocls.encoders.loaded import (
    Encoder,
    Processor,
    as_features,
    load_encoder,
    load_processor,
)
from audiocls.errors import ConfigError


class ProcessedLayers(nn.Module):
    """An encoder's layers of waveforms, by way of its own processor.

    Shape: (B, T) → list of (B, L, D)
    """

    def __init__(self, processor: Processor, encoder: Encoder):
        super().__init__()
        self.processor = processor
        self.encoder = encoder

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        require_window(self.processor, waveforms.shape[1])
        made: list[Tensor] = self.encoder(self.processor(waveforms))
        return made


class Inputs(nn.Module):
    """What the processor makes of a clip. Shape: (B, T) → (B, C, L)"""

    def __init__(self, options: HFInputs, sample_rate: int):
        super().__init__()
        self.processor = load_processor(options)
        require_rate(self.processor, sample_rate)

    def forward(self, waveforms: Tensor) -> Tensor:
        require_window(self.processor, waveforms.shape[1])
        return as_features(self.processor(waveforms), self.processor.is_by_bands)


def embedder(options: HF, sample_rate: int) -> Embedder:
    """Return the frozen encoder at `sample_rate` Hz; raises `ConfigError` for another rate."""
    processor = load_processor(options)
    require_rate(processor, sample_rate)
    layers = ProcessedLayers(processor, load_encoder(options, processor.input_name))
    framed = functools.partial(layers_of, options.layer) if options.pool == "frames" else None
    return Embedder(layers, sample_rate, framed)


@functools.lru_cache(maxsize=64)  # each step asks
def input_shape(options: HFInputs, num_samples: int, sample_rate: int) -> tuple[int, int]:
    """Return (C, L) of clips of `num_samples` at `sample_rate` Hz."""
    made = options.build(sample_rate)(torch.zeros(1, num_samples))
    return made.shape[1], made.shape[2]


class HasRate(Protocol):
    """What was made for one rate."""

    sample_rate: int
    """Hz."""


def require_rate(encoder: HasRate, sample_rate: int) -> None:
    """Raise `ConfigError` if an encoder takes another rate than `sample_rate` Hz."""
    if encoder.sample_rate != sample_rate:
        fault = f"it takes {encoder.sample_rate} Hz, got {sample_rate} Hz; set data.sample_rate"
        raise ConfigError("the encoder's rate", [f"{fault}={encoder.sample_rate}"])


def require_window(processor: Processor, num_samples: int) -> None:
    """Raise `ConfigError` for clips longer than what the processor takes whole."""
    most = processor.most_samples
    if most is not None and num_samples > most:
        seconds = most / processor.sample_rate
        fault = f"got clips of {num_samples} samples, allowed: up to {most}, its window of "
        raise ConfigError(
            "the encoder's processor", [f"{fault}{seconds:g} s; set data.duration_s={seconds:g}"]
        )
