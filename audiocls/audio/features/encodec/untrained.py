"""EnCodec with random weights and codebooks fitted to synthetic sounds, for tests offline.

The same weights and codebooks in every process.

Legend: N frames, D width (128), T samples, Q codebooks, E entries of a codebook.
"""

import functools
import math
from typing import Any

import torch
from torch import Tensor, nn

from audiocls.audio.features.encodec import SAMPLE_RATE
from audiocls.audio.features.encodec.package import random_model

SEED = 0
NUM_CLIPS = 40
"""Clips of one second that the codebooks are fitted to: 3000 frames, three per entry."""
NUM_ENTRIES = 1024
NUM_ITERATIONS = 10


def untrained_model(num_codebooks: int) -> Any:
    """Build the model with random weights and its first codebooks fitted by k-means.

    The first codebooks are the same whatever their number. Beyond the eighth or so the residual is
    almost zero, so that further codes carry little.
    """
    # Unfitted codebooks are all zero, and so would every code be. The package fits them in the
    # quantiser's first forward pass, but its cost allows about 300 frames: fewer than there are
    # entries, so that the first codebook would be exact and the second would get a zero residual.
    model = rescaled(random_model())
    layers = model.quantizer.vq.layers[:num_codebooks]
    for layer, entries in zip(layers, _codebooks(num_codebooks), strict=True):
        layer._codebook.embed.copy_(entries)
        layer._codebook.inited.fill_(1)
    return model


def rescaled(model: Any) -> Any:
    """Draw the weights of the encoder's convolutions anew so that no layer damps its input.

    He et al., 2015 (arXiv 1502.01852), without biases. Under torch's own initial weights each
    convolution shrinks the signal, so that ELU sees little but biases: the encoder is then
    all but linear, and nothing that follows it can find a clip's loudness or spectrum over time.
    """
    generator = torch.Generator().manual_seed(SEED)
    convolutions: list[Any] = [m for m in model.encoder.modules() if isinstance(m, nn.Conv1d)]
    for layer in convolutions:
        direction = layer.weight_v.detach()  # what weight normalisation scales to `weight_g`
        deviation = math.sqrt(2 / direction[0].numel())
        direction.copy_(torch.randn(direction.shape, generator=generator) * deviation)
        layer.weight_g.detach().copy_(torch.norm_except_dim(direction))
        nn.init.zeros_(layer.bias)
    return model


@functools.cache
def _codebooks(num_codebooks: int) -> list[Tensor]:
    """Fit each codebook to the residual of those before it.

    Shape: → Q tensors of (E, D)
    """
    frames = _frames()
    generator = torch.Generator().manual_seed(SEED)
    codebooks = []
    for _ in range(num_codebooks):
        codebooks.append(k_means(frames, NUM_ENTRIES, NUM_ITERATIONS, generator))
        frames = frames - codebooks[-1][torch.cdist(frames, codebooks[-1]).argmin(1)]
    return codebooks


@functools.cache
def _frames() -> Tensor:
    """Embed the synthetic sounds; cached, since it takes seconds.

    Shape: → (N, D)
    """
    with torch.inference_mode(False), torch.no_grad():
        embeddings: Tensor = rescaled(random_model()).encoder(synthetic_clips().unsqueeze(1))
    return embeddings.transpose(1, 2).flatten(0, 1)


def k_means(
    points: Tensor, num_means: int, num_iterations: int, generator: torch.Generator
) -> Tensor:
    """Return the means of clusters (Lloyd, 1982), started from random points.

    The mean of a cluster that becomes empty stays where it was.

    Shape: points (N, D) → (num_means, D)

    >>> points = torch.tensor([[0.0], [2.0], [10.0], [12.0]])
    >>> k_means(points, 2, 5, torch.Generator().manual_seed(1)).sort(dim=0).values
    tensor([[ 1.],
            [11.]])
    """
    means = points[torch.randperm(len(points), generator=generator)[:num_means]]
    for _ in range(num_iterations):
        nearest = torch.cdist(points, means).argmin(1)
        count = torch.bincount(nearest, minlength=num_means).unsqueeze(1)
        total = torch.zeros_like(means).index_add_(0, nearest, points)
        means = torch.where(count > 0, total / count.clamp(min=1), means)
    return means


def synthetic_clips(seed: int = SEED) -> Tensor:
    """Synthesise chirps in white noise at 24 kHz, one second each.

    A chirp glides between two frequencies of 60 Hz to 10 kHz under a squared-sine envelope; the
    noise is 0 to 60 dB below its own loudest level.

    Shape: → (NUM_CLIPS, T)
    """
    generator = torch.Generator().manual_seed(seed)
    time_s = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    first, last = (60 * (10000 / 60) ** torch.rand(2, NUM_CLIPS, 1, generator=generator)).unbind()
    frequency = first * (last / first) ** time_s
    phase = 2 * math.pi * frequency.double().cumsum(dim=1) / SAMPLE_RATE
    chirps = 0.5 * torch.sin(math.pi * time_s) ** 2 * phase.sin().float()
    level = 0.3 * 10 ** (-3 * torch.rand(NUM_CLIPS, 1, generator=generator))
    return chirps + level * torch.randn(NUM_CLIPS, SAMPLE_RATE, generator=generator)
