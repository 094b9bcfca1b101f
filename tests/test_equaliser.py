"""The random equaliser: one curve a clip over bands, of training clips alone."""

import pytest
import torch
from helpers.recipes import TINY

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.spec_augment import NUM_NODES, draw_masks, masked
from audiocls.audio.batches import training_batches
from audiocls.config import resolve
from audiocls.errors import ConfigError
from audiocls.training.step import batch_loss, tensors_of, with_tensors

DRAWS = ClipRNG(2, torch.arange(300))


def changed(**options):
    features = torch.randn(300, 64, 9, generator=torch.Generator().manual_seed(1))
    augment = Augment.model_validate(options)
    return features, masked(features, draw_masks(augment, (64, 9), DRAWS))


def test_all_frames_of_a_clip_get_the_same_curve_within_its_bounds():
    features, equalised = changed(equalise=0.5)
    gains = equalised - features
    torch.testing.assert_close(gains, gains[:, :, :1].expand_as(gains))
    assert 0.45 < gains.abs().max() <= 0.5 + 1e-5
    assert gains.mean().abs() < 0.02


def test_a_curve_is_straight_between_its_nodes():
    features, equalised = changed(equalise=0.5)
    bends = (equalised - features)[:, :, 0].diff(dim=1).diff(dim=1).abs() > 1e-4
    assert bends.any(dim=0).sum() <= 2 * (NUM_NODES - 2)


def test_masked_values_are_the_mean_all_the_same():
    augment = Augment(equalise=0.5, freq_mask=8)
    masks = draw_masks(augment, (64, 9), DRAWS)
    _, equalised = changed(equalise=0.5, freq_mask=8)
    assert not equalised.transpose(1, 2)[masks.bands.unsqueeze(1).expand(-1, 9, -1)].any()


def test_the_equaliser_changes_training_alone_and_reaches_every_form_of_step(tiny_parts):
    losses, validated = [], []
    for changes in ({}, {"augment.equalise": 0.5}):
        state = tiny_parts(changes)
        validated.append(state.objective.validate(state.classifier, state.dataset, state.split.val))
        batch = next(iter(training_batches(state.dataset, state.split.train, state.batching, 0, 1)))
        again = with_tensors(batch, tensors_of(batch))
        for each in (batch, again):
            state.classifier.eval()
            loss = batch_loss(state.classifier, state.objective, state.config, each)
            losses.append(loss.item())
    assert losses[0] == losses[1] != losses[2] == losses[3]
    assert validated[0] == validated[1]


def test_features_without_statistics_have_no_deviations_to_equalise_by():
    with pytest.raises(ConfigError, match=r"set features\.normalise=train"):
        resolve([TINY, {"augment.equalise": 0.5, "features.normalise": "clip"}], "test")
