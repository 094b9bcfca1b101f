"""Features of whole clips, computed once and memory-mapped, when nothing random precedes them.

Legend: N clips, B batch, C channels (mel bands), T samples, L frames.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from audiocls.audio.atomic_build import build_once
from audiocls.audio.features import Features
from audiocls.audio.features.identity import identity
from audiocls.audio.features.placement import wave_normaliser
from audiocls.audio.pack import Pack

MOST_CLIPS, MOST_SAMPLES = 32, 2**20
"""Computed at once: fixed, so that a cache made anew is the same to the bit."""


def open_features(
    pack: Pack, pack_name: str, features: Features, sample_rate: int, num_samples: int, cache: Path
) -> NDArray[np.float32]:
    """The features of every clip's middle `num_samples` samples, made first if need be.

    Shape: → (N, C, L), memory-mapped
    """

    def make(file: Path) -> None:
        front_end = features.build(sample_rate).eval()
        shape = features.shape(num_samples)
        write_rows(file, pack, num_samples, shape, np.float32, normalised(features, front_end))

    key = key_of(pack_name, identity(features), num_samples)
    return open_rows(cache / f"features-{features.name}-{key}", "features.npy", make)


def key_of(pack_name: str, options: dict[str, Any], num_samples: int) -> str:
    """Of all that what is cached depends on."""
    text = json.dumps([pack_name, options, num_samples])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def normalised(features: Features, then: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`then` of waves whose level is set as the options ask, clip by clip."""
    level = wave_normaliser(features)
    return lambda waves: then(level(waves))


def open_rows(folder: Path, name: str, make: Callable[[Path], None]) -> NDArray[Any]:
    """The array `folder`/`name`, written by `make` if it is not there yet; memory-mapped."""
    build_once(folder, lambda beside: make(beside / name))
    return np.asanyarray(np.load(folder / name, mmap_mode="r"))


def write_rows(
    file: Path,
    pack: Pack,
    num_samples: int,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    of_waves: Callable[[Tensor], Tensor],
) -> None:
    """`of_waves` of every clip of the pack, a few clips at once; one row of `shape` a clip.

    Shape: of_waves: (B, T) → (B, *shape)
    """
    num_clips = len(pack.starts) - 1
    rows = np.lib.format.open_memmap(file, "w+", np.dtype(dtype), (num_clips, *shape))
    portion = max(1, min(MOST_CLIPS, MOST_SAMPLES // num_samples))
    with torch.inference_mode():
        for start in range(0, num_clips, portion):
            clips = np.arange(start, min(start + portion, num_clips))
            waves = torch.from_numpy(pack.centred(clips, num_samples))
            rows[clips] = of_waves(waves).numpy()
    rows.flush()
