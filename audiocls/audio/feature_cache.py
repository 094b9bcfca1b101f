"""Features of whole clips, computed once and memory-mapped, when nothing random precedes them.

Legend: N clips, C channels (mel bands), L frames.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from audiocls.audio.features import Features
from audiocls.audio.once import made_once
from audiocls.audio.pack import Pack

PORTION = 32
"""Clips computed at once: fixed, so that a cache made anew is the same to the bit."""


def open_features(
    pack: Pack, pack_name: str, features: Features, sample_rate: int, num_samples: int, cache: Path
) -> NDArray[np.float32]:
    """The features of every clip's middle `num_samples` samples, made first if need be.

    Shape: → (N, C, L), memory-mapped
    """
    options = features.model_dump_json()
    key = hashlib.sha256(json.dumps([pack_name, options, num_samples]).encode()).hexdigest()[:16]
    folder = cache / f"features-{features.name}-{key}"
    made_once(folder, lambda beside: _make(pack, features, sample_rate, num_samples, beside))
    return np.asanyarray(np.load(folder / "features.npy", mmap_mode="r"))


def _make(pack: Pack, features: Features, sample_rate: int, num_samples: int, folder: Path) -> None:
    front_end = features.build(sample_rate).eval()
    num_clips = len(pack.starts) - 1
    shape = (num_clips, *features.shape(num_samples))
    rows = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float32, shape)
    with torch.inference_mode():
        for start in range(0, num_clips, PORTION):
            clips = np.arange(start, min(start + PORTION, num_clips))
            waves = torch.from_numpy(pack.centred(clips, num_samples))
            rows[clips] = front_end(waves).numpy()
    rows.flush()
