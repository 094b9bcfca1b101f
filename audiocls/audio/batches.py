"""`Sounds`: a data set as a trial sees it, and the batches it trains and is scored on.

Legend: B batch, C channels (mel bands), L frames, T samples.
"""

import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audiocls.audio.augment import Augment
from audiocls.audio.augment.specaugment import mask_bands_and_frames
from audiocls.audio.augment.waveform import random_gain, random_shift
from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet
from audiocls.audio.feature_cache import open_features
from audiocls.audio.features import Features
from audiocls.audio.features.standardise import Standardise
from audiocls.audio.pack import Pack, open_pack, pack_folder
from audiocls.seeding import seed_of

Batch = tuple[Tensor, Tensor]
"""Features (B, C, L) float32 and labels (B,) int64."""


PORTION = 256
"""Clips gathered at once for statistics."""

Streams = dict[str, torch.Generator]
"""Kind of draw → its generator."""


@dataclass(frozen=True)
class Sounds:
    """Clips, labels and features of one data set, ready to be gathered. Shared by trials."""

    table: ClipTable
    pack: Pack
    features: NDArray[np.float32] | None
    """(N, C, L), or nothing for raw audio, which is gathered from the pack as fast."""
    front_end: nn.Module
    labels: Tensor
    """(N,) int64."""
    sample_rate: int
    num_samples: int
    standardisations: dict[str, Standardise] = field(default_factory=dict)
    """Split → statistics; a memory, not a part of the value."""

    def clean(self, clips: NDArray[np.int64]) -> Tensor:
        """Features of whole clips, nothing random.

        Shape: clips (B,) → (B, C, L)
        """
        if self.features is not None:
            return torch.from_numpy(self.features[clips])
        waves = torch.from_numpy(self.pack.centred(clips, self.num_samples))
        return torch.as_tensor(self.front_end(waves))

    def standardise(self, clips: NDArray[np.int64]) -> Standardise:
        """Standardisation by the statistics of `clips`, which are gathered once per split."""
        key = hashlib.sha256(clips.tobytes()).hexdigest()
        if key not in self.standardisations:
            portions = np.array_split(clips, num_batches(len(clips), PORTION))
            self.standardisations[key] = Standardise.fit(map(self.clean, portions))
        return copy.deepcopy(self.standardisations[key])

    def augmented(self, clips: NDArray[np.int64], augment: Augment, streams: Streams) -> Tensor:
        """Features after the random changes of the wave that `augment` asks for.

        Shape: clips (B,) → (B, C, L)
        """
        if not augment.changes_wave:
            return self.clean(clips)
        waves = torch.from_numpy(self._cropped(clips, augment, streams["crop"]))
        if augment.gain_db > 0:
            waves = random_gain(waves, augment.gain_db, streams["gain"])
        if augment.shift_s > 0:
            most = round(augment.shift_s * self.sample_rate)
            waves = random_shift(waves, most, streams["shift"])
        return torch.as_tensor(self.front_end(waves))

    def _cropped(
        self, clips: NDArray[np.int64], augment: Augment, generator: torch.Generator
    ) -> NDArray[np.float32]:
        if augment.crop == "centre":
            return self.pack.centred(clips, self.num_samples)
        slack = np.maximum(0, self.pack.lengths(clips) - self.num_samples)
        draws = torch.rand(len(clips), generator=generator).numpy()
        offsets = np.floor(draws * (slack + 1)).astype(np.int64)
        return self.pack.waves(clips, self.num_samples, np.minimum(offsets, slack))


def open_sounds(
    data: DataSet, features: Features, table: ClipTable, fingerprint: str, cache: Path
) -> Sounds:
    """Everything a trial needs of its data set, from the cache or made now."""
    rate, num_samples = data.sample_rate, round(data.duration_s * data.sample_rate)
    pack = open_pack(table, fingerprint, rate, cache)
    name = pack_folder(cache, fingerprint, rate).name
    is_cached = features.name != "raw"
    return Sounds(
        table=table,
        pack=pack,
        features=open_features(pack, name, features, rate, num_samples, cache)
        if is_cached
        else None,
        front_end=features.build(rate).eval(),
        labels=torch.tensor([clip.label for clip in table.clips]),
        sample_rate=rate,
        num_samples=num_samples,
    )


def training_batches(
    sounds: Sounds, clips: NDArray[np.int64], batch_size: int, augment: Augment, epoch_seed: int
) -> Iterator[Batch]:
    """One epoch in random order; batches differ in size by at most one clip.

    An order and an augmentation of its own for each `epoch_seed`, and nothing carried over.
    """
    streams = streams_of(epoch_seed)
    order = torch.randperm(len(clips), generator=streams["order"]).numpy()
    for portion in np.array_split(clips[order], num_batches(len(clips), batch_size)):
        features = sounds.augmented(portion, augment, streams)
        yield features, sounds.labels[portion]


def streams_of(epoch_seed: int) -> Streams:
    """A stream for each kind of draw: switching one on leaves the others as they were."""
    return {
        kind: torch.Generator().manual_seed(seed_of(epoch_seed, 0, kind))
        for kind in ("order", "crop", "gain", "shift")
    }


def masked(features: Tensor, augment: Augment, generator: torch.Generator) -> Tensor:
    """SpecAugment on standardised features, or the features as they are.

    Shape: features (B, F, L) → (B, F, L)
    """
    if not augment.masks_bands:
        return features
    return mask_bands_and_frames(
        features, augment.freq_mask, augment.time_mask, augment.num_masks, generator
    )


def scoring_batches(sounds: Sounds, clips: NDArray[np.int64], batch_size: int) -> Iterator[Batch]:
    """The clips in their own order, unchanged."""
    for portion in np.array_split(clips, num_batches(len(clips), batch_size)):
        yield sounds.clean(portion), sounds.labels[portion]


def num_batches(num_clips: int, batch_size: int) -> int:
    """Batches an epoch needs, none larger than `batch_size`."""
    return -(-num_clips // batch_size)
