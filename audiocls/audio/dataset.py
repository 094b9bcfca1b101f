"""`AudioDataset`, the data of a trial, and the cache of its features and EnCodec codes.

Features of whole clips are computed once and memory-mapped: only of use where nothing random
precedes the front end.

Legend: N clips, B batch, C channels (mel bands), L frames, T samples, K classes, Q codebooks.
"""

import copy
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor, nn

from audiocls.atomic import build_cache
from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet, is_packed
from audiocls.audio.embeddings import Tell, open_embeddings, silent
from audiocls.audio.features import Features
from audiocls.audio.features.embeddings import EmbeddingOptions
from audiocls.audio.features.encodec import SAMPLE_RATE, Encodec
from audiocls.audio.features.normalise import Standardise
from audiocls.audio.pack import Pack, open_pack, pack_folder
from audiocls.audio.undecoded import open_undecoded
from audiocls.machine import reserve, writing

CHUNK_CLIPS = 256
"""Clips read at once for statistics: sums depend on it in their last bits."""
MOST_CLIPS, MOST_SAMPLES = 32, 2**20
"""Largest batch when filling the cache. Fixed, so that a rebuilt cache is the same to the bit."""


@dataclass(frozen=True)
class AudioDataset:
    """Clips, targets and features of one data set, read by index. Shared by trials."""

    table: ClipTable
    pack: Pack
    features: NDArray[np.float32] | None
    """(N, C, L), or none where waveforms are read instead: raw audio and learned front ends."""
    codes: NDArray[np.int16] | None
    """(N, Q, L), where self-supervision predicts them."""
    normalise: nn.Module
    """(B, T) → (B, T): sets each clip's level before anything random."""
    front_end: nn.Module
    """(B, T) → (B, C, L), or the identity where the classifier holds a learned front end."""
    targets: Tensor
    """(N,) int64, or (N, K) float32 where a clip has several labels."""
    sample_rate: int
    num_samples: int
    device: torch.device
    standardisations: dict[str, Standardise] = field(default_factory=dict)
    """Digest of clips → their statistics: a cache, not a part of the value."""

    def waveforms(
        self, clips: NDArray[np.int64], offsets: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Read normalised waveforms from `offsets` (samples) of each clip, by default its middle.

        Shape: clips (B,), offsets (B,) → (B, T)
        """
        if offsets is None:
            rows = self.pack.centred(clips, self.num_samples)
        else:
            rows = self.pack.waveforms(clips, self.num_samples, offsets)
        return torch.as_tensor(self.normalise(torch.from_numpy(rows).to(self.device)))

    def unaugmented(self, clips: NDArray[np.int64]) -> Tensor:
        """Return the classifier's inputs for clips, without augmentation.

        Shape: clips (B,) → (B, C, L), or waveforms (B, T) for a learned front end
        """
        if self.features is not None:
            return torch.from_numpy(self.features[clips]).to(self.device, non_blocking=True)
        return torch.as_tensor(self.front_end(self.waveforms(clips)))

    def standardise(self, clips: NDArray[np.int64]) -> Standardise:
        """Return the standardisation by the statistics of `clips`, computed once per split.

        Shape: clips (N,) → a module (B, C, L) → (B, C, L)
        """
        key = hashlib.sha256(clips.tobytes()).hexdigest()
        if key not in self.standardisations:
            portions = np.array_split(clips, num_batches(len(clips), CHUNK_CLIPS))
            self.standardisations[key] = Standardise.fit(map(self.unaugmented, portions))
        return copy.deepcopy(self.standardisations[key])


def open_dataset(
    data: DataSet,
    features: Features,
    table: ClipTable,
    fingerprint: str,
    cache: Path,
    device: torch.device | str = "cpu",
    has_codes: bool = False,
    tell: Tell = silent,
) -> AudioDataset:
    """Open the data set of a trial, filling the caches under `cache` if needed.

    `fingerprint` is that of `table`; with `has_codes` the features must be EnCodec's. `tell` takes
    lines on how far a frozen encoder is.

    Raises:
        DataError: clips cannot be decoded.
        MachineFault: the disk has no room for a cache.
    """
    rate, num_samples = data.sample_rate, round(data.duration_s * data.sample_rate)
    is_kept = is_packed(data)
    pack = (open_pack if is_kept else open_undecoded)(table, fingerprint, rate, cache)
    source = (pack, pack_folder(cache, fingerprint, rate).name)
    codes = None
    if has_codes:
        assert isinstance(features, Encodec), "configurations with codes have EnCodec features"
        codes = open_codes(*source, features, num_samples, cache)
    return AudioDataset(
        table=table,
        pack=pack,
        features=_cached(*source, data, features, cache, (device, tell)) if is_kept else None,
        codes=codes,
        normalise=features.wave_normaliser(),
        front_end=features.fixed_front_end(rate).to(device),
        targets=torch.from_numpy(table.targets()).to(device),
        sample_rate=rate,
        num_samples=num_samples,
        device=torch.device(device),
    )


def _cached(
    pack: Pack,
    pack_name: str,
    data: DataSet,
    features: Features,
    cache: Path,
    extraction: tuple[torch.device | str, Tell],
) -> NDArray[np.float32] | None:
    """Open the features of every clip, or return none where waveforms are read instead.

    Shape: → (N, C, L)
    """
    rate, num_samples = data.sample_rate, round(data.duration_s * data.sample_rate)
    if isinstance(features, EmbeddingOptions):
        folder = cache / embeddings_name(pack_name, features, num_samples)
        return open_embeddings(pack, folder, features, rate, num_samples, *extraction)
    if features.is_cached:
        return open_features(pack, pack_name, features, rate, num_samples, cache)
    return None


def embeddings_name(pack_name: str, features: EmbeddingOptions, num_samples: int) -> str:
    """Return the name of the folder of a frozen encoder's rows: one for all layers of it."""
    key = cache_key(pack_name, features.row_identity(), num_samples)
    return f"embeddings-{features.name}-{key}"


def num_batches(num_clips: int, batch_size: int) -> int:
    """Return how many batches of at most `batch_size` clips an epoch has."""
    return -(-num_clips // batch_size)


def open_features(
    pack: Pack, pack_name: str, features: Features, sample_rate: int, num_samples: int, cache: Path
) -> NDArray[np.float32]:
    """Open the features of every clip's middle `num_samples` samples, computing them if needed.

    `sample_rate` is that of the pack, in Hz.

    Shape: → (N, C, L), memory-mapped
    """

    def make(file: Path) -> None:
        front_end = features.build(sample_rate).eval()
        shape = features.shape_at(num_samples, sample_rate)
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
    """Open the array `folder`/`name`, written by `make` if it is not there yet, or damaged.

    Shape: → as written, memory-mapped
    """
    build_cache(folder, lambda beside: make(beside / name))
    return np.asanyarray(np.load(folder / name, mmap_mode="r"))


def write_rows(
    path: Path,
    pack: Pack,
    num_samples: int,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    compute: Callable[[Tensor], Tensor],
) -> None:
    """Write an .npy file at `path` with `compute` of every clip's middle `num_samples`, in batches.

    Not through a memory map: that would be a sparse file, and a full disk the end of this process.

    Shape: compute: (B, T) → (B, *shape); the file: (N, *shape)
    """
    num_clips, row_type = len(pack.starts) - 1, np.dtype(dtype)
    num_bytes = math.prod((num_clips, *shape)) * row_type.itemsize
    batch_size = max(1, min(MOST_CLIPS, MOST_SAMPLES // num_samples))
    header = {"descr": row_type.str, "fortran_order": False, "shape": (num_clips, *shape)}
    with writing(path.parent, num_bytes), torch.inference_mode(), path.open("wb") as file:
        reserve(file, num_bytes)
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, num_clips, batch_size):
            clips = np.arange(start, min(start + batch_size, num_clips))
            waveforms = torch.from_numpy(pack.centred(clips, num_samples))
            rows = compute(waveforms).numpy().astype(row_type, order="C", copy=False)
            assert rows.shape == (len(clips), *shape), f"{rows.shape} are not rows of {shape}"
            file.write(rows.data)
