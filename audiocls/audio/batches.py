"""`AudioDataset`: a data set as a trial sees it, and the batches it trains and is scored on.

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
from audiocls.audio.balance import sampling_weights
from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet
from audiocls.audio.feature_cache import open_features
from audiocls.audio.features import Features
from audiocls.audio.features.placement import fixed_front_end, wave_normaliser
from audiocls.audio.features.standardise import Standardise
from audiocls.audio.pack import Pack, open_pack, pack_folder
from audiocls.seeding import seed_of

CHUNK_CLIPS = 256
"""Clips gathered at once for statistics."""


@dataclass(frozen=True)
class AudioDataset:
    """Clips, targets and features of one data set, ready to be gathered. Shared by trials."""

    table: ClipTable
    pack: Pack
    features: NDArray[np.float32] | None
    """(N, C, L), or nothing where waves are gathered: raw audio and learned front ends."""
    codes: NDArray[np.int16] | None
    """(N, Q, L), where self-supervision wants them."""
    normalise: nn.Module
    """What is done to each clip's wave before anything random."""
    front_end: nn.Module
    """Waves to features, or the identity where the classifier holds a learned front end."""
    targets: Tensor
    """(N,) int64, or (N, K) float32 where a clip has several labels."""
    sample_rate: int
    num_samples: int
    device: torch.device
    standardisations: dict[str, Standardise] = field(default_factory=dict)
    """Split → statistics; a memory, not a part of the value."""

    def waves(self, clips: NDArray[np.int64], offsets: NDArray[np.int64] | None = None) -> Tensor:
        """Normalised waves from `offsets` into each clip, by default its middle.

        Shape: clips (B,) → (B, T)
        """
        if offsets is None:
            rows = self.pack.centred(clips, self.num_samples)
        else:
            rows = self.pack.waves(clips, self.num_samples, offsets)
        return torch.as_tensor(self.normalise(torch.from_numpy(rows).to(self.device)))

    def clean(self, clips: NDArray[np.int64]) -> Tensor:
        """What the classifier takes, of whole clips, nothing random.

        Shape: clips (B,) → (B, C, L), or waves (B, T) for a learned front end
        """
        if self.features is not None:
            return torch.from_numpy(self.features[clips]).to(self.device, non_blocking=True)
        return torch.as_tensor(self.front_end(self.waves(clips)))

    def standardise(self, clips: NDArray[np.int64]) -> Standardise:
        """Standardisation by the statistics of `clips`, which are gathered once per split."""
        key = hashlib.sha256(clips.tobytes()).hexdigest()
        if key not in self.standardisations:
            portions = np.array_split(clips, num_batches(len(clips), CHUNK_CLIPS))
            self.standardisations[key] = Standardise.fit(map(self.clean, portions))
        return copy.deepcopy(self.standardisations[key])


def open_sounds(
    data: DataSet,
    features: Features,
    table: ClipTable,
    fingerprint: str,
    cache: Path,
    device: torch.device | str = "cpu",
    has_codes: bool = False,
) -> AudioDataset:
    """Everything a trial needs of its data set, from the cache or made now."""
    rate, num_samples = data.sample_rate, round(data.duration_s * data.sample_rate)
    pack = open_pack(table, fingerprint, rate, cache)
    source = (pack, pack_folder(cache, fingerprint, rate).name)
    is_cached = features.name != "raw" and not features.is_learned
    return AudioDataset(
        table=table,
        pack=pack,
        features=open_features(*source, features, rate, num_samples, cache) if is_cached else None,
        codes=_codes(*source, features, num_samples, cache) if has_codes else None,
        normalise=wave_normaliser(features),
        front_end=fixed_front_end(features, rate).to(device),
        targets=torch.from_numpy(table.targets()).to(device),
        sample_rate=rate,
        num_samples=num_samples,
        device=torch.device(device),
    )


def _codes(
    pack: Pack, pack_name: str, features: Features, num_samples: int, cache: Path
) -> NDArray[np.int16]:
    from audiocls.audio.codes import open_codes

    assert features.name == "encodec", "a configuration that wants codes has EnCodec features"
    return open_codes(pack, pack_name, features, num_samples, cache)


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    inputs: Tensor
    """(B, C, L), or waves (B, T) for a learned front end."""
    targets: Tensor
    """(B,) int64, or (B, K) float32 where clips are mixed or have several labels."""
    draws: ClipRNG
    """What is random about these clips in this epoch."""
    is_mixed: bool = False
    waves: Tensor | None = None
    """(B, T) as a teacher hears them, where one listens."""
    codes: Tensor | None = None
    """(B, Q, L) int64, where self-supervision wants them."""


@dataclass(frozen=True)
class Batching:
    """How training clips become batches."""

    batch_size: int
    augment: Augment = field(default_factory=Augment)
    background: Tensor | None = None
    """Noise that `augment` mixes in, as one long wave."""
    is_balanced: bool = False
    is_union: bool = False
    """Whether a mixed clip has both sets of labels, rather than shares of them."""
    keeps_waves: bool = False


def training_batches(
    sounds: AudioDataset, clips: NDArray[np.int64], batching: Batching, epoch: int, epoch_seed: int
) -> Iterator[Batch]:
    """One epoch in random order; batches differ in size by at most one clip.

    An order and an augmentation of its own for each `epoch_seed`, and nothing carried over.
    `epoch` counts from 0.
    """
    order, occurrences = _order(sounds.table, clips, batching.is_balanced, epoch_seed)
    count = num_batches(len(order), batching.batch_size)
    for portion, numbers in zip(
        np.array_split(order, count), np.array_split(occurrences, count), strict=True
    ):
        draws = ClipRNG(epoch_seed, torch.from_numpy(numbers))
        yield _training_batch(sounds, portion, batching, epoch, draws)


def _training_batch(
    sounds: AudioDataset, clips: NDArray[np.int64], batching: Batching, epoch: int, draws: ClipRNG
) -> Batch:
    augment, targets = batching.augment, sounds.targets[torch.from_numpy(clips)]
    is_mixed = augment.mixes_clips and epoch >= augment.mix_from_epoch
    is_changed = augment.changes_wave or is_mixed
    waves = None
    if is_changed or batching.keeps_waves:
        offsets = _offsets(sounds, clips, draws) if augment.crop == "random" else None
        waves = sounds.waves(clips, offsets)
        waves = augment_waveforms(waves, augment, sounds.sample_rate, draws, batching.background)
    if waves is not None and is_mixed:
        shares = shares_of(targets, len(sounds.table.labels))
        rate, is_union = sounds.sample_rate, batching.is_union
        waves, targets = mix(waves, shares, augment, rate, draws, epoch, is_union)
    is_heard = waves is not None and is_changed
    return Batch(
        inputs=torch.as_tensor(sounds.front_end(waves)) if is_heard else sounds.clean(clips),
        targets=targets,
        draws=draws,
        is_mixed=is_mixed,
        waves=waves if batching.keeps_waves else None,
        codes=codes_of(sounds, clips),
    )


def codes_of(sounds: AudioDataset, clips: NDArray[np.int64]) -> Tensor | None:
    """The EnCodec codes of clips, where they were opened.

    Shape: clips (B,) → (B, Q, L) int64
    """
    if sounds.codes is None:
        return None
    return torch.from_numpy(sounds.codes[clips].astype(np.int64)).to(sounds.device)


def _order(
    table: ClipTable, clips: NDArray[np.int64], is_balanced: bool, epoch_seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Clips in the epoch's order, and a number of its own for each occurrence of a clip."""
    generator = torch.Generator().manual_seed(seed_of(epoch_seed, 0, "order"))
    if not is_balanced:
        order = clips[torch.randperm(len(clips), generator=generator).numpy()]
        return order, order
    weights = torch.from_numpy(sampling_weights(table, clips))
    drawn = torch.multinomial(weights, len(clips), replacement=True, generator=generator)
    order = clips[drawn.numpy()]
    by_clip = np.argsort(order, kind="stable")
    repeats = np.empty_like(order)
    repeats[by_clip] = np.arange(len(order)) - np.searchsorted(order[by_clip], order[by_clip])
    return order, order + repeats * len(table.clips)


def _offsets(sounds: AudioDataset, clips: NDArray[np.int64], draws: ClipRNG) -> NDArray[np.int64]:
    """Where a random crop of each clip begins, (B,)."""
    slack = np.maximum(0, sounds.pack.lengths(clips) - sounds.num_samples)
    return crop_offsets(torch.from_numpy(slack), draws).numpy()


def shares_of(targets: Tensor, num_classes: int) -> Tensor:
    """Class numbers as one-hot rows; what has a row a clip already is left.

    Shape: (B,) int64 or (B, K) → (B, K)
    """
    return targets if targets.ndim == 2 else F.one_hot(targets, num_classes).float()


def scoring_batches(
    sounds: AudioDataset, clips: NDArray[np.int64], batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of clips in their own order, unchanged."""
    for portion in np.array_split(clips, num_batches(len(clips), batch_size)):
        yield sounds.clean(portion), sounds.targets[torch.from_numpy(portion)]


def num_batches(num_clips: int, batch_size: int) -> int:
    """Batches an epoch needs, none larger than `batch_size`."""
    return -(-num_clips // batch_size)
