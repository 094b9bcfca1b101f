"""`AudioDataset`, the data of a trial, and the batches for training and scoring.

Legend: N clips, B batch, C channels (mel bands), L frames, T samples, K classes, Q codebooks.
"""

import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from audiocls.audio.augment import Augment
from audiocls.audio.augment.chain import augment_waveforms, crop_offsets
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.mixing import mix
from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet
from audiocls.audio.feature_cache import open_codes, open_features
from audiocls.audio.features import Features
from audiocls.audio.features.encodec import Encodec
from audiocls.audio.features.normalise import Standardise
from audiocls.audio.pack import Pack, open_pack, pack_folder
from audiocls.audio.sampling import epoch_order

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
) -> AudioDataset:
    """Open the data set of a trial, filling the caches under `cache` if needed.

    `fingerprint` is that of `table`; with `has_codes` the features must be EnCodec's.

    Raises:
        DataError: clips cannot be decoded, or a cache is damaged.
    """
    rate, num_samples = data.sample_rate, round(data.duration_s * data.sample_rate)
    pack = open_pack(table, fingerprint, rate, cache)
    source = (pack, pack_folder(cache, fingerprint, rate).name)
    codes = None
    if has_codes:
        assert isinstance(features, Encodec), "configurations with codes have EnCodec features"
        codes = open_codes(*source, features, num_samples, cache)
    is_cached = features.is_cached
    return AudioDataset(
        table=table,
        pack=pack,
        features=open_features(*source, features, rate, num_samples, cache) if is_cached else None,
        codes=codes,
        normalise=features.wave_normaliser(),
        front_end=features.fixed_front_end(rate).to(device),
        targets=torch.from_numpy(table.targets()).to(device),
        sample_rate=rate,
        num_samples=num_samples,
        device=torch.device(device),
    )


@dataclass(frozen=True)
class Batch:
    """The data of one training step."""

    inputs: Tensor
    """(B, C, L), or waveforms (B, T) for a learned front end."""
    targets: Tensor
    """(B,) int64, or (B, K) float32 where clips are mixed or have several labels."""
    draws: ClipRNG
    """Random numbers of these clips in this epoch."""
    is_mixed: bool = False
    waveforms: Tensor | None = None
    """(B, T) after augmentation and mixing, for a teacher if there is one."""
    codes: Tensor | None = None
    """(B, Q, L) int64, where self-supervision predicts them."""


@dataclass(frozen=True)
class Batching:
    """Options of training batches."""

    batch_size: int
    augment: Augment = field(default_factory=Augment)
    background: Tensor | None = None
    """(N samples,) of background noise for `augment`, at the data set's sample rate."""
    is_balanced: bool = False
    """Whether clips are drawn with replacement, rare classes more often."""
    is_union: bool = False
    """Whether a mixed clip has all labels of both clips, rather than shares of them."""
    keeps_waveforms: bool = False


def training_batches(
    dataset: AudioDataset, clips: NDArray[np.int64], batching: Batching, epoch: int, epoch_seed: int
) -> Iterator[Batch]:
    """Yield one epoch in random order, in batches that differ in size by at most one clip.

    Order and augmentation depend on `epoch_seed` alone: nothing is carried over from epoch to
    epoch. `epoch` counts from 0.

    Shape: clips (N,)
    """
    order, occurrences = epoch_order(dataset.table, clips, batching.is_balanced, epoch_seed)
    count = num_batches(len(order), batching.batch_size)
    for batch, numbers in zip(
        np.array_split(order, count), np.array_split(occurrences, count), strict=True
    ):
        draws = ClipRNG(epoch_seed, torch.from_numpy(numbers))
        yield _training_batch(dataset, batch, batching, epoch, draws)


def _training_batch(
    dataset: AudioDataset, clips: NDArray[np.int64], batching: Batching, epoch: int, draws: ClipRNG
) -> Batch:
    """Read, augment, mix and transform one batch.

    Shape: clips (B,)
    """
    augment, targets = batching.augment, dataset.targets[torch.from_numpy(clips)]
    is_mixed = augment.mixes_clips and epoch >= augment.mix_from_epoch
    is_changed = augment.changes_waveform or is_mixed
    waveforms = None
    if is_changed or batching.keeps_waveforms:
        offsets = _offsets(dataset, clips, draws) if augment.crop == "random" else None
        waveforms = dataset.waveforms(clips, offsets)
        waveforms = augment_waveforms(
            waveforms, augment, dataset.sample_rate, draws, batching.background
        )
    if waveforms is not None and is_mixed:
        shares = soft_targets(targets, len(dataset.table.labels))
        rate, is_union = dataset.sample_rate, batching.is_union
        waveforms, targets = mix(waveforms, shares, augment, rate, draws, epoch, is_union)
    if waveforms is not None and is_changed:
        inputs = torch.as_tensor(dataset.front_end(waveforms))
    else:  # from the cache where there is one, also where a teacher takes the waveforms
        inputs = dataset.unaugmented(clips)
    return Batch(
        inputs=inputs,
        targets=targets,
        draws=draws,
        is_mixed=is_mixed,
        waveforms=waveforms if batching.keeps_waveforms else None,
        codes=codes_of(dataset, clips),
    )


def codes_of(dataset: AudioDataset, clips: NDArray[np.int64]) -> Tensor | None:
    """Return the EnCodec codes of clips, or none if `dataset` was opened without them.

    Shape: clips (B,) → (B, Q, L) int64
    """
    if dataset.codes is None:
        return None
    return torch.from_numpy(dataset.codes[clips].astype(np.int64)).to(dataset.device)


def _offsets(dataset: AudioDataset, clips: NDArray[np.int64], draws: ClipRNG) -> NDArray[np.int64]:
    """Draw the first sample of a random crop of each clip.

    Shape: clips (B,) → (B,) int64
    """
    slack = np.maximum(0, dataset.pack.lengths(clips) - dataset.num_samples)
    return crop_offsets(torch.from_numpy(slack), draws).numpy()


def soft_targets(targets: Tensor, num_classes: int) -> Tensor:
    """Return class numbers as one-hot rows; targets that are rows already stay as they are.

    Shape: (B,) int64 in [0, K) or (B, K) → (B, K) float32
    """
    return targets if targets.ndim == 2 else F.one_hot(targets, num_classes).float()


def scoring_batches(
    dataset: AudioDataset, clips: NDArray[np.int64], batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and targets of clips in their given order, without augmentation.

    Shape: clips (N,) → pairs of (B, C, L), or waveforms (B, T), and (B,) or (B, K)
    """
    for batch in np.array_split(clips, num_batches(len(clips), batch_size)):
        yield dataset.unaugmented(batch), dataset.targets[torch.from_numpy(batch)]


def num_batches(num_clips: int, batch_size: int) -> int:
    """Return how many batches of at most `batch_size` clips an epoch has."""
    return -(-num_clips // batch_size)
