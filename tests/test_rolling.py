"""Features rolled and cropped in time: of training clips alone, whole frames, nothing lost."""

import pytest
import torch
from helpers.recipes import TINY

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.rolling import rolled
from audiocls.audio.batches import training_batches
from audiocls.config import resolve
from audiocls.errors import ConfigError

CLIPS = torch.arange(400 * 3 * 7.0).reshape(400, 3, 7)
DRAWS = ClipRNG(5, torch.arange(400))


def starts(moved):
    """Return the frame that each clip begins with, by the values of its first band."""
    return (moved[:, 0, 0] % 7).long()


def test_a_rolled_clip_is_the_same_frames_from_another_one_on():
    moved = rolled(CLIPS, Augment(roll=True), DRAWS)
    expected = [
        torch.roll(clip, -int(start), dims=1)
        for clip, start in zip(CLIPS, starts(moved), strict=True)
    ]
    assert torch.equal(moved, torch.stack(expected))
    assert torch.bincount(starts(moved)).min() > 400 / 7 / 2


def test_a_crop_is_frames_in_a_row_and_goes_over_the_end_of_rolled_clips_only():
    for roll, last in ((False, 4), (True, 6)):
        moved = rolled(CLIPS, Augment(roll=roll, crop_frames=3), DRAWS)
        frames = moved[:, 1] % 7
        assert torch.equal(frames[:, 1:], (frames[:, :-1] + 1) % 7)
        assert starts(moved).unique().tolist() == list(range(last + 1))


def test_a_stretched_clip_repeats_frames_or_leaves_some_out_in_their_order():
    clips = torch.arange(100.0).expand(400, 3, 100)
    moved = rolled(clips, Augment(stretch=0.25, crop_frames=60), DRAWS)
    steps = moved[:, 0].diff() % 100
    speeds = steps.mean(dim=1)
    assert steps.max() <= 2
    assert 0.78 < speeds.min() < 0.82
    assert 1.22 < speeds.max() < 1.27
    assert (speeds < 1).float().mean() == pytest.approx(0.5, abs=0.06)
    rates = (steps - speeds.unsqueeze(1)).cumsum(dim=1).abs()
    assert rates.max() < 2, "the speed is one for the whole clip"


def test_a_crop_longer_than_the_clip_is_the_clip():
    assert torch.equal(rolled(CLIPS, Augment(crop_frames=9), DRAWS), CLIPS)
    assert Augment(crop_frames=9).trained_frames(7) == 7


@pytest.mark.parametrize("crop_frames", [0, 5])
def test_training_batches_are_moved_and_validation_is_of_whole_clips(tiny_parts, crop_frames):
    validated, inputs = [], []
    for changes in ({}, {"augment.roll": True, "augment.crop_frames": crop_frames}):
        state = tiny_parts({"augment.time_mask": 3, **changes})
        validated.append(state.objective.validate(state.classifier, state.dataset, state.split.val))
        batches = training_batches(
            state.dataset, state.split.train, state.batching, 0, 1, state.stored
        )
        inputs.append(next(iter(batches)))
    assert validated[0] == validated[1]
    plain, moved = inputs
    length = crop_frames or plain.inputs.shape[2]
    assert moved.inputs.shape[2] == moved.masks.frames.shape[1] == length
    for one, other in zip(plain.inputs, moved.inputs, strict=True):
        both = torch.cat([one, one], dim=1).unfold(1, length, 1)
        assert (both == other.unsqueeze(1)).all(dim=(0, 2)).any()


def test_what_has_no_frames_yet_is_not_rolled():
    raw = {"name": "raw"}, {"name": "convnext1d", "stem_width": 4, "strides": [4], "kernel": 3}
    leaf = {"name": "leaf"}, TINY["model"]
    for features, model in (raw, leaf):
        for augment in ({"roll": True}, {"crop_frames": 9}, {"stretch": 0.2}):
            changes = {"augment": augment, "features": features, "model": model}
            with pytest.raises(ConfigError, match=r"takes waveforms.*cycshift"):
                resolve([TINY, changes], "test")


def test_a_teacher_and_codes_of_whole_clips_allow_no_rolling():
    with pytest.raises(ConfigError, match="a teacher takes waveforms"):
        resolve([TINY, {"augment.roll": True, "distil.teacher": "x"}], "test")


def test_a_model_that_needs_more_frames_than_a_crop_has_is_refused():
    model = {"name": "convnext1d", "stem_width": 4, "stem_stride": 4, "strides": [4], "kernel": 3}
    with pytest.raises(ConfigError, match=r"augment\.crop_frames: model convnext1d: got 9 frames"):
        resolve([TINY, {"model": model, "augment.crop_frames": 9}], "test")
