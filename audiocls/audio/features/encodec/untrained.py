"""EnCodec without its training: the same seeded weights and codebooks for every process.

Legend: N frames, D width (128), T samples, Q codebooks, E entries of a codebook.
"""

import functools
import math
from typing import Any

import torch
from torch import Tensor

from audiocls.audio.features.encodec import SAMPLE_RATE
from audiocls.audio.features.encodec.package import as_drawn

SEED = 0
NUM_CLIPS = 40
"""Seconds of sound that the codebooks are fitted to: three frames an entry."""
NUM_ENTRIES = 1024
NUM_ITERATIONS = 10


def untrained(num_codebooks: int) -> Any:
    """The package's model with weights as drawn and its first codebooks fitted by k-means.

    Without that they are all zero, and so is every code. The package fits them itself in its
    quantiser's first forward pass, but at a cost that allows some 300 frames only: fewer than
    entries, so that nothing is left over for the second codebook to say. The first codebooks are
    the same whatever their number; beyond the eighth or so, little is left to say here too.
    """
    model = as_drawn()
    layers = model.quantizer.vq.layers[:num_codebooks]
    for layer, entries in zip(layers, _codebooks(num_codebooks), strict=True):
        layer._codebook.embed.copy_(entries)
        layer._codebook.inited.fill_(1)
    return model


@functools.cache
def _codebooks(num_codebooks: int) -> list[Tensor]:
    """Each fitted to what those before it left over of the sounds.

    Shape: → Q × (E, D)
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
    """What the encoder says of the sounds; kept, for that takes seconds.

    Shape: → (N, D)
    """
    with torch.inference_mode(False), torch.no_grad():
        embeddings: Tensor = as_drawn().encoder(sounds().unsqueeze(1))
    return embeddings.transpose(1, 2).flatten(0, 1)


def k_means(
    points: Tensor, num_means: int, num_iterations: int, generator: torch.Generator
) -> Tensor:
    """Means of clusters (Lloyd, 1982), from points drawn at random; an empty one stays put.

    Shape: (N, D) → (E, D)

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


def sounds(seed: int = SEED) -> Tensor:
    """Chirps that swell and fade in noise: one second each, 60 Hz to 10 kHz, 0 to 60 dB down.

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
