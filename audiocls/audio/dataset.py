"""`AudioDataset`, the data of a trial, and which of its clips an epoch has, in which order.

Legend: N clips, B batch, C channels (mel bands), L frames, T samples, K classes, Q codebooks.
"""

import copy
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet, is_packed
from audiocls.audio.embeddings import open_embeddings
from audiocls.audio.feature_cache import HERE, Extraction, OnProgress, open_codes, open_features
from audiocls.audio.features import Features
from audiocls.audio.features.embeddings import EmbeddingOptions
from audiocls.audio.features.encodec import Encodec
from audiocls.audio.features.normalise import Standardise
from audiocls.audio.pack import Pack, open_pack, pack_folder
from audiocls.audio.undecoded import open_undecoded
from audiocls.seeding import seed_of

CHUNK_CLIPS = 256
"""Clips read at once for statistics: sums depend on it in their last bits."""


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
        return torch.as_tensor(self.normalise(on_device(rows, self.device)))

    def unaugmented(self, clips: NDArray[np.int64]) -> Tensor:
        """Return the classifier's inputs for clips, without augmentation.

        Shape: clips (B,) → (B, C, L), or waveforms (B, T) for a learned front end
        """
        if self.features is not None:
            return on_device(self.features[clips], self.device)
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
    on_progress: OnProgress = HERE.on_progress,
) -> AudioDataset:
    """Open the data set of a trial, filling the caches under `cache` if needed.

    `fingerprint` is that of `table`; with `has_codes` the features must be EnCodec's.

    Raises:
        DataError: clips cannot be decoded.
        MachineFault: the disk has no room for a cache.
    """
    rate, num_samples = data.sample_rate, round(data.duration_s * data.sample_rate)
    pack = (open_pack if is_packed(data) else open_undecoded)(table, fingerprint, rate, cache)
    source = (pack, pack_folder(cache, fingerprint, rate).name)
    extraction = Extraction(torch.device(device), on_progress)
    codes, rows = None, None
    if has_codes:
        assert isinstance(features, Encodec), "configurations with codes have EnCodec features"
        codes = open_codes(*source, features, num_samples, cache, extraction)
    if features.is_cached and is_packed(data):
        rows = _cached(*source, features, rate, num_samples, cache, extraction)
    return AudioDataset(
        table=table,
        pack=pack,
        features=rows,
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
    features: Features,
    rate: int,
    num_samples: int,
    cache: Path,
    extraction: Extraction,
) -> NDArray[np.float32]:
    """Open the features of every clip, or the chosen part of a frozen encoder's rows.

    Shape: → (N, C, L)
    """
    options = (rate, num_samples, cache, extraction)
    if isinstance(features, EmbeddingOptions):
        return open_embeddings(pack, pack_name, features, *options)
    return open_features(pack, pack_name, features, *options)


def on_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return an array on a device; the host does not wait for a copy to an accelerator.

    On the CPU the tensor shares the array's memory.

    Shape: any → the same
    """
    tensor = torch.from_numpy(array)
    # From memory that may be swapped out the copy would begin only when all before it has ended.
    pinned = tensor.pin_memory() if device.type == "cuda" else tensor
    return pinned.to(device, non_blocking=True)


def num_batches(num_clips: int, batch_size: int) -> int:
    """Return how many batches of at most `batch_size` clips an epoch has."""
    return -(-num_clips // batch_size)


def epoch_order(
    table: ClipTable, clips: NDArray[np.int64], is_balanced: bool, epoch_seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the clips of one epoch in random order, and a number for each occurrence of a clip.

    If `is_balanced` as many clips are drawn with replacement by `sampling_weights`; the numbers
    then tell occurrences of one clip apart, so that each is augmented differently.

    Shape: clips (N,) → (N,), (N,)
    """
    generator = torch.Generator().manual_seed(seed_of(epoch_seed, 0, "order"))
    if not is_balanced:
        order = clips[torch.randperm(len(clips), generator=generator).numpy()]
        return order, order
    weights = torch.from_numpy(sampling_weights(table, clips))
    drawn = torch.multinomial(weights, len(clips), replacement=True, generator=generator)
    order = clips[drawn.numpy()]
    # The i-th repeat of clip c (i from 0) gets the number c + i · N_table. A stable sort brings
    # repeats together; their position less that of the first one of their clip is i.
    by_clip = np.argsort(order, kind="stable")
    repeats = np.empty_like(order)
    repeats[by_clip] = np.arange(len(order)) - np.searchsorted(order[by_clip], order[by_clip])
    return order, order + repeats * len(table.clips)


def sampling_weights(
    table: ClipTable, among: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return how often to draw each clip: the sum over its labels of 1 / clips with that label.

    `among` are the clips to draw from and to count, by default all: counts of test clips have no
    place in training. With one label per clip all classes become equally likely; with several
    they tend to. Not normalised: the weights add up to the number of classes that occur.

    As in EAT (Gazneli et al., arXiv:2204.11479) and the AudioSet models before it.

    Shape: among (N,) → (N,)

    >>> from pathlib import Path
    >>> from audiocls.audio.clips import Clip
    >>> clips = [Clip(str(i), Path(), (int(i > 1),), str(i), fold=1) for i in range(5)]
    >>> sampling_weights(ClipTable(tuple(clips), ("rare", "common"), (1,))).round(2).tolist()
    [0.5, 0.5, 0.33, 0.33, 0.33]
    """
    clips = table.clips if among is None else [table.clips[i] for i in among]
    labels = np.concatenate([np.array(clip.labels) for clip in clips])
    owners = np.repeat(np.arange(len(clips)), [len(clip.labels) for clip in clips])
    counts = np.bincount(labels, minlength=len(table.labels))
    weights = np.bincount(owners, weights=1 / counts[labels], minlength=len(clips))
    return np.asarray(weights, np.float64)
