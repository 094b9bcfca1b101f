"""Augmentation: what may change, by how much at most, and the same again from the same seed."""

import numpy as np
import pytest
import torch

from audiocls.audio.augment import Augment
from audiocls.audio.augment.specaugment import mask_bands_and_frames
from audiocls.audio.augment.waveform import random_gain, random_shift
from audiocls.audio.batches import masked, training_batches


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


WAVES = torch.randn(200, 64, generator=seeded(9))


def test_gain_is_one_factor_per_clip_within_the_decibels():
    gains = random_gain(WAVES, 6.0, seeded()) / WAVES
    torch.testing.assert_close(gains, gains[:, :1].expand_as(gains))
    decibels = 20 * gains[:, 0].log10()
    assert decibels.abs().max() <= 6.0 + 1e-4
    assert decibels.min() < -5
    assert decibels.max() > 5
    assert len(decibels.unique()) > 190


def test_a_gain_of_zero_decibels_changes_nothing():
    assert torch.equal(random_gain(WAVES, 0.0, seeded()), WAVES)


def test_shift_moves_each_clip_and_fills_the_gap_with_zeros():
    ramps = torch.arange(1.0, 65).expand(300, 64)
    shifted = random_shift(ramps, 5, seeded())
    found = set()
    for row in shifted:
        (nonzero,) = row.nonzero(as_tuple=True)
        shift = int(nonzero[0] - (row[nonzero[0]] - 1))
        expected = torch.zeros(64)
        expected[max(0, shift) : 64 + min(0, shift)] = ramps[0, max(0, -shift) : 64 - max(0, shift)]
        assert torch.equal(row, expected)
        found.add(shift)
    assert found == set(range(-5, 6))


def test_a_shift_beyond_the_clip_leaves_silence_and_no_error():
    shifted = random_shift(torch.ones(400, 4), 10, seeded())
    assert shifted.shape == (400, 4)
    assert (shifted.sum(1) == 0).any()
    assert set(shifted.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("freq_mask", "time_mask", "num_masks"), [(3, 0, 1), (0, 4, 2), (5, 6, 3)])
def test_at_most_that_many_bands_and_frames_are_masked(freq_mask, time_mask, num_masks):
    after = mask_bands_and_frames(
        torch.ones(300, 16, 20), freq_mask, time_mask, num_masks, seeded()
    )
    bands, frames = (after == 0).all(dim=2), (after == 0).all(dim=1)
    assert bands.sum(dim=1).max() <= freq_mask * num_masks
    assert frames.sum(dim=1).max() <= time_mask * num_masks
    # A value is masked because its whole band or its whole frame is.
    assert torch.equal(after == 0, bands.unsqueeze(2) | frames.unsqueeze(1))


def test_a_mask_wider_than_its_axis_covers_at_most_the_axis():
    after = mask_bands_and_frames(torch.ones(300, 4, 5), 100, 0, 1, seeded())
    assert set((after == 0).all(dim=2).sum(dim=1).tolist()) == {0, 1, 2, 3, 4}


def test_one_mask_is_one_stretch_of_every_width_up_to_the_widest():
    after = mask_bands_and_frames(torch.ones(500, 16, 3), 4, 0, 1, seeded())
    is_masked = (after[:, :, 0] == 0).long()
    edges = is_masked.diff(dim=1, prepend=torch.zeros(500, 1), append=torch.zeros(500, 1))
    assert (edges == 1).sum(dim=1).max() == 1
    assert set(is_masked.sum(1).tolist()) == {0, 1, 2, 3, 4}
    assert is_masked.any(dim=0).all()  # every band is within reach


def test_values_outside_the_masks_are_untouched_and_each_clip_has_its_own():
    features = torch.randn(50, 16, 20, generator=seeded(3))
    after = mask_bands_and_frames(features, 4, 4, 2, seeded())
    assert torch.equal(after[after != 0], features[after != 0])
    assert len({tuple((clip == 0).flatten().tolist()) for clip in after}) > 40


@pytest.mark.parametrize(
    "change",
    [
        lambda g: random_gain(WAVES, 3.0, g),
        lambda g: random_shift(WAVES, 9, g),
        lambda g: mask_bands_and_frames(WAVES.reshape(100, 8, 16), 3, 3, 2, g),
    ],
    ids=["gain", "shift", "masks"],
)
def test_the_same_seed_draws_the_same_and_another_does_not(change):
    before = WAVES.clone()
    assert torch.equal(change(seeded(1)), change(seeded(1)))
    assert not torch.equal(change(seeded(1)), change(seeded(2)))
    assert torch.equal(before, WAVES)


def test_off_means_untouched():
    features = torch.randn(4, 8, 16)
    assert masked(features, Augment(), seeded()) is features
    assert not Augment().changes_wave


def test_batches_without_wave_changes_are_the_clips_themselves(tiny_parts):
    parts = tiny_parts()
    for features, labels in training_batches(parts.sounds, parts.split.train, 8, Augment(), 1):
        for feature, label in zip(features, labels, strict=True):
            same = [
                i
                for i in parts.split.train
                if torch.equal(parts.sounds.clean(np.array([i]))[0], feature)
            ]
            assert parts.sounds.labels[same].tolist() == [label]


@pytest.mark.parametrize(
    "augment",
    [Augment(gain_db=6), Augment(shift_s=0.1), Augment(crop="random")],
    ids=["gain", "shift", "crop"],
)
def test_each_change_of_the_wave_reaches_the_batches_and_keeps_order_and_labels(
    tiny_parts, augment
):
    parts = tiny_parts()

    def epoch(what: Augment, seed: int = 5):
        batches = training_batches(parts.sounds, parts.split.train, 8, what, seed)
        features, labels = zip(*batches, strict=True)
        return torch.cat(features), torch.cat(labels)

    plain, labels = epoch(Augment())
    changed, same_labels = epoch(augment)
    assert torch.equal(labels, same_labels)
    assert plain.shape == changed.shape
    assert not torch.equal(plain, changed)
    assert torch.equal(changed, epoch(augment)[0])
    assert not torch.equal(epoch(augment, 6)[0], changed)
