"""Features and EnCodec codes of whole clips, computed once and memory-mapped.

Only of use where nothing random precedes the front end.

Legend: N clips, B batch, C channels (mel bands), T samples, L frames, Q codebooks.
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

from audiocls.atomic import build_once
from audiocls.audio.features import Features
from audiocls.audio.features.encodec import SAMPLE_RATE, Encodec
from audiocls.audio.pack import Pack

MOST_CLIPS, MOST_SAMPLES = 32, 2**20
"""Largest batch when filling the cache. Fixed, so that a rebuilt cache is the same to the bit."""


def open_features(
    pack: Pack, pack_name: str, features: Features, sample_rate: int, num_samples: int, cache: Path
) -> NDArray[np.float32]:
    """Open the features of every clip's middle `num_samples` samples, computing them if needed.

    `sample_rate` is that of the pack, in Hz.

    Shape: → (N, C, L), memory-mapped
    """

    def make(file: Path) -> None:
        front_end = features.build(sample_rate).eval()
        shape = features.shape(num_samples)
        write_rows(file, pack, num_samples, shape, np.float32, with_level(features, front_end))

    key = cache_key(pack_name, features.identity(), num_samples)
    return open_rows(cache / f"features-{features.name}-{key}", "features.npy", make)


def open_codes(
    pack: Pack, pack_name: str, features: Encodec, num_samples: int, cache: Path
) -> NDArray[np.int16]:
    """Open the EnCodec codes of every clip's middle `num_samples`, computing them if needed.

    The same whether `features` puts out embeddings or codes. Frames are those of the features:
    L = `features.shape(num_samples)[1]`.

    Shape: → (N, Q, L), memory-mapped
    """

    def make(file: Path) -> None:
        front_end = features.build(SAMPLE_RATE).eval()
        shape = (features.num_codebooks, features.shape(num_samples)[1])
        codes = with_level(features, front_end.codes)
        write_rows(file, pack, num_samples, shape, np.int16, codes)

    key = cache_key(pack_name, features.identity() | {"output": "codes"}, num_samples)
    return open_rows(cache / f"codes-{features.name}-{key}", "codes.npy", make)


def cache_key(pack_name: str, options: dict[str, Any], num_samples: int) -> str:
    """Hash everything that cached features depend on to 16 hex digits."""
    text = json.dumps([pack_name, options, num_samples])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def with_level(features: Features, then: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return `then` preceded by setting each clip's level as the options ask.

    Shape: both (B, T) → any
    """
    level = features.wave_normaliser()
    return lambda waveforms: then(level(waveforms))


def open_rows(folder: Path, name: str, make: Callable[[Path], None]) -> NDArray[Any]:
    """Open the array `folder`/`name`, written by `make` if it is not there yet.

    Shape: → as written, memory-mapped
    """
    build_once(folder, lambda beside: make(beside / name))
    return np.asanyarray(np.load(folder / name, mmap_mode="r"))


def write_rows(
    file: Path,
    pack: Pack,
    num_samples: int,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    compute: Callable[[Tensor], Tensor],
) -> None:
    """Write an .npy `file` with `compute` of every clip's middle `num_samples`, batch by batch.

    Shape: compute: (B, T) → (B, *shape); the file: (N, *shape)
    """
    num_clips = len(pack.starts) - 1
    rows = np.lib.format.open_memmap(file, "w+", np.dtype(dtype), (num_clips, *shape))
    batch_size = max(1, min(MOST_CLIPS, MOST_SAMPLES // num_samples))
    with torch.inference_mode():
        for start in range(0, num_clips, batch_size):
            clips = np.arange(start, min(start + batch_size, num_clips))
            waveforms = torch.from_numpy(pack.centred(clips, num_samples))
            rows[clips] = compute(waveforms).numpy()
    rows.flush()
