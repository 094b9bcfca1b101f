"""What is computed once an epoch or once a trial is what each batch would compute for itself."""

import numpy as np
import pytest
import torch

from audiocls.audio import stored_features
from audiocls.audio.augment import Augment, spec_augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.spec_augment import UNMASKED, draw_masks, masks_of_batches
from audiocls.audio.batches import batch_spans, training_batches
from audiocls.audio.stored_features import store_features

OPTIONS = Augment(freq_mask=9, time_mask=20, num_masks=3)


@pytest.mark.parametrize("chunk", [1, 10, 4096])
def test_masks_of_an_epoch_are_those_of_its_batches_to_the_bit(chunk, monkeypatch):
    monkeypatch.setattr(spec_augment, "CHUNK_CLIPS", chunk)
    draws = ClipRNG(3, torch.randperm(50))
    spans = batch_spans(50, 7)
    at_once = list(masks_of_batches(OPTIONS, (16, 33), draws, spans))
    assert len(at_once) == len(spans)
    for span, masks in zip(spans, at_once, strict=True):
        alone = draw_masks(OPTIONS, (16, 33), draws.span(*span))
        assert torch.equal(masks.bands, alone.bands)
        assert torch.equal(masks.frames, alone.frames)


def test_no_more_masks_are_held_than_a_chunk_has(monkeypatch):
    monkeypatch.setattr(spec_augment, "CHUNK_CLIPS", 8)
    drawn = []
    real = spec_augment.draw_masks
    monkeypatch.setattr(
        spec_augment,
        "draw_masks",
        lambda options, shape, draws: drawn.append(len(draws.clips)) or real(options, shape, draws),
    )
    list(masks_of_batches(OPTIONS, (4, 5), ClipRNG(0, torch.arange(22)), batch_spans(22, 6)))
    assert drawn == [8, 8, 6]


def test_without_masks_nothing_is_drawn():
    draws = ClipRNG(0, torch.arange(6))
    assert list(masks_of_batches(Augment(), (4, 5), draws, [(0, 3), (3, 6)])) == [UNMASKED] * 2


@pytest.mark.parametrize(("num_clips", "count"), [(7, 3), (6, 3), (1, 1), (100, 7)])
def test_batches_are_split_as_numpy_splits(num_clips, count):
    parts = np.array_split(np.arange(num_clips), count)
    assert batch_spans(num_clips, count) == [(part[0], part[-1] + 1) for part in parts]


def test_stored_features_are_those_that_a_batch_standardises_to_the_bit(tiny_parts):
    parts = tiny_parts({"train.batch_size": 7})
    clips, batching = parts.split.train, parts.batching
    pairs = zip(
        training_batches(parts.dataset, clips, batching, 0, 5, parts.stored),
        training_batches(parts.dataset, clips, batching, 0, 5),
        strict=True,
    )
    for stored, read in pairs:
        assert stored.is_standardised
        assert not read.is_standardised
        assert torch.equal(stored.inputs, parts.classifier.features(read.inputs))
        assert torch.equal(stored.targets, read.targets)


@pytest.mark.parametrize(
    "changes",
    [{"features": {"name": "leaf"}}, {"augment.gain_db": 6}, {"augment": {"mixes": ["mixup"]}}],
    ids=["learned front end", "changed waveforms", "mixed"],
)
def test_features_that_differ_from_epoch_to_epoch_are_not_stored(tiny_parts, changes):
    assert tiny_parts(changes).stored is None


def test_features_that_are_too_large_are_read_batch_by_batch(tiny_parts, monkeypatch):
    parts = tiny_parts()
    monkeypatch.setattr(stored_features, "MOST_BYTES", 1000)
    assert store_features(parts.dataset, parts.split.train, parts.classifier.standardise) is None
