"""Training and scoring batches: clips in the order of an epoch, augmentation and SpecAugment.

An epoch's clips, random streams and masks are copied to an accelerator once, before its first step:
a copy in each step would make the host wait for all that is queued there.

Legend: N clips, B batch, C channels (F mel bands), L frames, T samples, K classes, Q codebooks.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.augment import Augment
from audiocls.audio.augment.chain import augment_waveforms, crop_offsets
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.feature_mixup import FeatureMix, draw_feature_mix
from audiocls.audio.augment.mixing import is_mixed, mix
from audiocls.audio.augment.rolling import rolled
from audiocls.audio.augment.spec_augment import UNMASKED, Masks, Span, masks_of_batches
from audiocls.audio.dataset import AudioDataset, epoch_order, num_batches, on_device
from audiocls.audio.stored_features import StoredFeatures

if TYPE_CHECKING:
    from audiocls.audio.views import Views


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
    masks: Masks = UNMASKED
    feature_mix: FeatureMix | None = None
    """How features are mixed within the batch, once they are masked."""
    is_standardised: bool = False
    """Whether `inputs` are what the model takes, apart from masks."""

    @property
    def num_clips(self) -> int:
        return self.targets.shape[0]

    def span(self, start: int, stop: int) -> "Batch":
        """Return the rows `start` … `stop` - 1, without copying them."""
        assert self.feature_mix is None, "its rows are mixed with one another"
        waveforms, codes = self.waveforms, self.codes
        return replace(
            self,
            inputs=self.inputs[start:stop],
            targets=self.targets[start:stop],
            draws=self.draws.span(start, stop),
            waveforms=None if waveforms is None else waveforms[start:stop],
            codes=None if codes is None else codes[start:stop],
            masks=self.masks.span(start, stop),
        )


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
    drops_last: bool = False
    """Whether batches are of `batch_size` exactly, and the clips beyond them are left out."""
    keeps_waveforms: bool = False
    in_shape: tuple[int, int] | None = None
    """(C, L) of features, where `augment` masks them."""
    views: "Views | None" = None
    """Makes batches of two views of each clip, without anything else of the above but sizes."""


def epoch_batches(num_clips: int, batch_size: int, drops_last: bool) -> int:
    """Return the number of batches of an epoch, one at least.

    >>> epoch_batches(10, 4, drops_last=False), epoch_batches(10, 4, drops_last=True)
    (3, 2)
    """
    return max(1, num_clips // batch_size) if drops_last else num_batches(num_clips, batch_size)


def training_batches(
    dataset: AudioDataset,
    clips: NDArray[np.int64],
    batching: Batching,
    epoch: int,
    epoch_seed: int,
    stored: StoredFeatures | None = None,
) -> Iterator[Batch]:
    """Yield one epoch in random order, in batches that differ in size by at most one clip.

    With `batching.drops_last` all batches are full, and the last clips of the order are left out.

    Order and augmentation depend on `epoch_seed` alone: nothing is carried over from epoch to
    epoch. `epoch` counts from 0. What is `stored`, of the same clips, is used where nothing random
    precedes the features.

    Shape: clips (N,)
    """
    order, occurrences = epoch_order(dataset.table, clips, batching.is_balanced, epoch_seed)
    count = epoch_batches(len(order), batching.batch_size, batching.drops_last)
    num_kept = min(len(order), count * batching.batch_size) if batching.drops_last else len(order)
    order, occurrences, device = order[:num_kept], occurrences[:num_kept], dataset.device
    there = on_device(order, device)
    draws = ClipRNG(
        epoch_seed, torch.from_numpy(occurrences), clips_on_device=on_device(occurrences, device)
    )
    spans = batch_spans(num_kept, count)
    masks = masks_of_batches(batching.augment, batching.in_shape, draws.on(device), spans)
    if stored is not None and _is_all_stored(dataset, batching, epoch):
        yield from _stored_batches(stored, there, dataset.targets[there], draws, masks, spans)
        return
    for span, batch_masks in zip(spans, masks, strict=True):
        shared = int(occurrences[span[0]]) if batching.augment.draw_per == "batch" else None
        batch_draws = draws.span(*span)
        if shared is not None:
            batch_draws = replace(batch_draws, shared=shared)
        batch_clips = _Clips(order[slice(*span)], there[slice(*span)], batch_draws, batch_masks)
        yield _training_batch(dataset, batch_clips, batching, epoch, stored)


def batch_spans(num_clips: int, count: int) -> list[Span]:
    """Return `count` stretches of an epoch's order that differ in length by at most one clip.

    >>> batch_spans(7, 3)
    [(0, 3), (3, 5), (5, 7)]
    """
    size, num_larger = divmod(num_clips, count)
    bounds = [index * size + min(index, num_larger) for index in range(count + 1)]
    return list(itertools.pairwise(bounds))


def _is_all_stored(dataset: AudioDataset, batching: Batching, epoch: int) -> bool:
    """Whether batches of an epoch hold nothing but stored features, targets and masks."""
    augment, has_codes = batching.augment, dataset.codes is not None
    mixes = augment.mixes_clips and epoch >= augment.mix_from_epoch
    is_read = augment.changes_waveform or batching.keeps_waveforms or batching.views is not None
    is_changed = augment.feature_mixup > 0 or augment.moves_features
    return not (is_read or has_codes or mixes or is_changed)


def _stored_batches(
    stored: StoredFeatures,
    clips: Tensor,
    targets: Tensor,
    draws: ClipRNG,
    masks: Iterator[Masks],
    spans: list[Span],
) -> Iterator[Batch]:
    """Yield the batches of an epoch's clips, looked up for all of them at once.

    Shape: clips (N,), targets (N,) or (N, K)
    """
    sizes = [stop - start for start, stop in spans]
    rows, each_targets = torch.split(stored.row_of[clips], sizes), torch.split(targets, sizes)
    for part in zip(rows, each_targets, draws.split(sizes), masks, strict=True):
        inputs = stored.rows.index_select(0, part[0])
        yield Batch(inputs, part[1], part[2], masks=part[3], is_standardised=True)


class _Clips(NamedTuple):
    """The clips of a batch: their numbers in the data set, (B,), random numbers and masks."""

    here: NDArray[np.int64]
    there: Tensor
    """`here` on the device of the data set."""
    draws: ClipRNG
    masks: Masks


def _training_batch(
    dataset: AudioDataset,
    batch: _Clips,
    batching: Batching,
    epoch: int,
    stored: StoredFeatures | None,
) -> Batch:
    """Read, augment, mix and transform one batch."""
    clips, draws, rate = batch.here, batch.draws, dataset.sample_rate
    if batching.views is not None:
        return replace(batching.views.batch(dataset, clips, draws), masks=batch.masks)
    augment, targets = batching.augment, dataset.targets[batch.there]
    is_mix = is_mixed(augment, draws, epoch)
    is_changed = augment.changes_waveform or is_mix
    is_needed = is_changed or batching.keeps_waveforms
    waveforms = _augmented(dataset, clips, batching, draws) if is_needed else None
    if waveforms is not None and is_mix:
        shares = soft_targets(targets, len(dataset.table.labels))
        waveforms, targets = mix(waveforms, shares, augment, rate, draws, epoch, batching.is_union)
    if waveforms is not None and is_changed:
        inputs = torch.as_tensor(dataset.front_end(waveforms))
    elif stored is not None:
        inputs = stored.of(batch.there)
    else:  # from the cache where there is one, also where a teacher takes the waveforms
        inputs = dataset.unaugmented(clips)
    feature_mix = None
    if augment.feature_mixup > 0:
        feature_mix = draw_feature_mix(draws, augment.feature_mixup, dataset.device)
        targets = soft_targets(targets, len(dataset.table.labels))
    return Batch(
        inputs=rolled(inputs, augment, draws),
        targets=targets,
        draws=draws,
        is_mixed=is_mix or feature_mix is not None,
        feature_mix=feature_mix,
        waveforms=waveforms if batching.keeps_waveforms else None,
        codes=codes_of(dataset, clips),
        masks=batch.masks,
        is_standardised=stored is not None and not is_changed,
    )


def _augmented(
    dataset: AudioDataset, clips: NDArray[np.int64], batching: Batching, draws: ClipRNG
) -> Tensor:
    """Read clips, cropped as configured, and augment each. Shape: clips (B,) → (B, T)"""
    augment, rate = batching.augment, dataset.sample_rate
    offsets = _offsets(dataset, clips, draws) if augment.crop == "random" else None
    waveforms = dataset.waveforms(clips, offsets)
    return augment_waveforms(waveforms, augment, rate, draws, batching.background)


def codes_of(dataset: AudioDataset, clips: NDArray[np.int64]) -> Tensor | None:
    """Return the EnCodec codes of clips, or none if `dataset` was opened without them.

    Shape: clips (B,) → (B, Q, L) int64
    """
    if dataset.codes is None:
        return None
    return on_device(dataset.codes[clips].astype(np.int64), dataset.device)


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
    if targets.ndim == 2:
        return targets
    # `one_hot` reads the largest target: fused trials cannot, and some devices make the host wait.
    return (targets.unsqueeze(1) == torch.arange(num_classes, device=targets.device)).float()


def scoring_batches(
    dataset: AudioDataset, clips: NDArray[np.int64], batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and targets of clips in their given order, without augmentation.

    Shape: clips (N,) → pairs of (B, C, L), or waveforms (B, T), and (B,) or (B, K)
    """
    for batch in np.array_split(clips, num_batches(len(clips), batch_size)):
        yield dataset.unaugmented(batch), dataset.targets[on_device(batch, dataset.device)]
