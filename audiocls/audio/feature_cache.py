"""The cache of features and EnCodec codes of whole clips, computed once and memory-mapped.

Only of use where nothing random precedes the front end. EnCodec's embeddings are computed on the
device of the training, its codes from them: its encoder runs once a clip, whatever comes first.

Legend: N clips, B batch, C channels (mel bands), L frames, T samples, Q codebooks.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from audiocls.atomic import build_cache
from audiocls.audio.features import Features
from audiocls.audio.features.encodec import SAMPLE_RATE, Encodec
from audiocls.audio.features.encodec.front_end import dequantise, quantise
from audiocls.audio.pack import Pack
from audiocls.machine import reserve, writing

MOST_CLIPS, MOST_SAMPLES = 32, 2**20
"""Largest batch when filling the cache. Fixed, so that a rebuilt cache is the same to the bit."""

CPU = torch.device("cpu")
OnProgress = Callable[[int, int], None]
"""Told how many clips of how many have features; none of none while another process has them."""


@dataclass(frozen=True)
class Extraction:
    """Where the features of a front end that is a network are computed, and who is told."""

    device: torch.device = CPU
    on_progress: OnProgress = lambda num_done, num_clips: None


HERE = Extraction()


def open_features(
    pack: Pack,
    pack_name: str,
    features: Features,
    sample_rate: int,
    num_samples: int,
    cache: Path,
    extraction: Extraction = HERE,
) -> NDArray[np.float32]:
    """Open the features of every clip's middle `num_samples` samples, computing them if needed.

    `sample_rate` is that of the pack, in Hz.

    Shape: → (N, C, L), memory-mapped
    """

    where = (
        extraction
        if isinstance(features, Encodec)
        else Extraction(HERE.device, extraction.on_progress)
    )

    def make(file: Path) -> None:
        shape = (len(pack.starts) - 1, *features.shape(num_samples, sample_rate))
        if isinstance(features, Encodec) and features.output == "codes":
            codes = open_codes(pack, pack_name, features, num_samples, cache, where)
            entries = features.build(sample_rate).codebooks
            portions = (codes[some].astype(np.int64) for some in portions_of(shape[0], num_samples))
            rows: Iterator[Tensor] = (
                dequantise(torch.from_numpy(portion), entries) for portion in portions
            )
        else:
            front_end = with_level(features, features.build(sample_rate).eval().to(where.device))
            rows = computed(pack, num_samples, front_end, where)
        write_rows(file, shape, np.float32, rows)

    key = cache_key(pack_name, features.identity(), num_samples, where.device)
    folder = cache / f"features-{features.name}-{key}"
    return open_rows(folder, "features.npy", make, extraction.on_progress)


def open_codes(
    pack: Pack,
    pack_name: str,
    features: Encodec,
    num_samples: int,
    cache: Path,
    extraction: Extraction = HERE,
) -> NDArray[np.int16]:
    """Open the EnCodec codes of every clip's middle `num_samples`, computing them if needed.

    The same whether `features` puts out embeddings or codes: they are computed from the cached
    embeddings. Frames are those of the features: L = `features.shape(num_samples, SAMPLE_RATE)[1]`.

    Shape: → (N, Q, L), memory-mapped
    """

    device = extraction.device

    def make(file: Path) -> None:
        options, rate = features.with_output("embeddings"), SAMPLE_RATE
        rows = open_features(pack, pack_name, options, rate, num_samples, cache, extraction)
        entries = features.build(SAMPLE_RATE).codebooks.to(device)
        portions = (rows[some].copy() for some in portions_of(len(rows), num_samples))
        codes = (quantise(torch.from_numpy(each).to(device), entries) for each in portions)
        shape = (len(rows), features.num_codebooks, features.shape(num_samples, SAMPLE_RATE)[1])
        write_rows(file, shape, np.int16, codes)

    key = cache_key(pack_name, features.with_output("codes").identity(), num_samples, device)
    return open_rows(
        cache / f"codes-{features.name}-{key}", "codes.npy", make, extraction.on_progress
    )


def cache_key(
    pack_name: str, options: dict[str, Any], num_samples: int, device: torch.device
) -> str:
    """Hash everything that cached features depend on to 16 hex digits.

    A kind of device among it: a GPU rounds otherwise than a CPU.
    """
    on_device = [] if device.type == "cpu" else [device.type]
    text = json.dumps([pack_name, options, num_samples, *on_device])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def with_level(features: Features, then: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return `then` preceded by setting each clip's level as the options ask.

    Shape: both (B, T) → any
    """
    level = features.wave_normaliser()
    return lambda waveforms: then(level(waveforms))


def open_rows(
    folder: Path,
    name: str,
    make: Callable[[Path], None],
    on_progress: OnProgress = HERE.on_progress,
) -> NDArray[Any]:
    """Open the array `folder`/`name`, written by `make` if it is not there yet, or damaged.

    Shape: → as written, memory-mapped
    """
    build_cache(folder, lambda beside: make(beside / name), while_waiting=lambda: on_progress(0, 0))
    return np.asanyarray(np.load(folder / name, mmap_mode="r"))


def portions_of(num_clips: int, num_samples: int) -> Iterator[slice]:
    """Yield the batches of clips, of `num_samples` each, in which caches are filled."""
    size = max(1, min(MOST_CLIPS, MOST_SAMPLES // num_samples))
    for start in range(0, num_clips, size):
        yield slice(start, min(start + size, num_clips))


def computed(
    pack: Pack, num_samples: int, compute: Callable[[Tensor], Tensor], where: Extraction
) -> Iterator[Tensor]:
    """Yield `compute` of every clip's middle `num_samples`, in batches, telling how far it is.

    Shape: compute: (B, T) → (B, …)
    """
    num_clips = len(pack.starts) - 1
    for some in portions_of(num_clips, num_samples):
        rows = pack.centred(np.arange(some.start, some.stop), num_samples)
        with exactly():
            features = compute(torch.from_numpy(rows).to(where.device))
        yield features
        where.on_progress(some.stop, num_clips)


@contextmanager
def exactly() -> Iterator[None]:
    """Compute convolutions on a GPU the same way each time, and in whole float32.

    TF32 would round codes that nearly tie another way than a CPU does.
    """
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield


def write_rows(
    path: Path, shape: tuple[int, ...], dtype: DTypeLike, portions: Iterable[Tensor]
) -> None:
    """Write an .npy file at `path` with the rows that `portions` give one after another.

    Not through a memory map: that would be a sparse file, and a full disk the end of this process.

    Shape: each of `portions`: (B, …); the file: `shape` (N, …)
    """
    row_type = np.dtype(dtype)
    num_bytes = math.prod(shape) * row_type.itemsize
    header = {"descr": row_type.str, "fortran_order": False, "shape": shape}
    with writing(path.parent, num_bytes), torch.inference_mode(), path.open("wb") as file:
        reserve(file, num_bytes)
        np.lib.format.write_array_header_1_0(file, header)
        for portion in portions:
            rows = portion.cpu().numpy().astype(row_type, order="C", copy=False)
            assert rows.shape[1:] == shape[1:], f"{rows.shape} are not rows of {shape}"
            file.write(rows.data)
