"""Augmentation: what may change, by how much at most, and the same again from the same seed."""

from typing import get_args

import numpy as np
import pytest
import torch
from helpers.masking import mask
from pydantic import ValidationError

from audiocls.audio.augment import Augment, Mix, Noise, Transform
from audiocls.audio.augment.chain import augment_waveforms, crop_offsets
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.mixing import MIXES, mix
from audiocls.audio.augment.transforms import CHANGES
from audiocls.audio.batches import Batching, training_batches

RATE = 1000  # Hz: a shift in milliseconds is one in samples


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


WAVES = torch.randn(200, 64, generator=seeded(9))


def gained(waveforms, gain_db, seed=0):
    return augment_waveforms(
        waveforms, Augment(gain_db=gain_db), RATE, ClipRNG(seed, torch.arange(len(waveforms)))
    )


def shifted_by(waveforms, most, seed=0):
    options = Augment(shift_s=most / RATE)
    return augment_waveforms(waveforms, options, RATE, ClipRNG(seed, torch.arange(len(waveforms))))


def masks(features, freq_mask, time_mask, num_masks, seed=0):
    options = Augment(freq_mask=freq_mask, time_mask=time_mask, num_masks=num_masks)
    return mask(features, options, ClipRNG(seed, torch.arange(len(features))))


def test_gain_is_one_factor_per_clip_within_the_decibels():
    gains = gained(WAVES, 6.0) / WAVES
    torch.testing.assert_close(gains, gains[:, :1].expand_as(gains))
    decibels = 20 * gains[:, 0].log10()
    assert decibels.abs().max() <= 6.0 + 1e-4
    assert decibels.min() < -5
    assert decibels.max() > 5
    assert len(decibels.unique()) > 190


def test_a_gain_of_zero_decibels_changes_nothing():
    assert torch.equal(gained(WAVES, 0.0), WAVES)


def test_shift_moves_each_clip_and_fills_the_gap_with_zeros():
    ramps = torch.arange(1.0, 65).expand(300, 64)
    time_shift = shifted_by(ramps, 5)
    found = set()
    for row in time_shift:
        (nonzero,) = row.nonzero(as_tuple=True)
        shift = int(nonzero[0] - (row[nonzero[0]] - 1))
        expected = torch.zeros(64)
        expected[max(0, shift) : 64 + min(0, shift)] = ramps[0, max(0, -shift) : 64 - max(0, shift)]
        assert torch.equal(row, expected)
        found.add(shift)
    assert found == set(range(-5, 6))


def test_a_shift_beyond_the_clip_leaves_silence_and_no_error():
    time_shift = shifted_by(torch.ones(400, 4), 10)
    assert time_shift.shape == (400, 4)
    assert (time_shift.sum(1) == 0).any()
    assert set(time_shift.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("freq_mask", "time_mask", "num_masks"), [(3, 0, 1), (0, 4, 2), (5, 6, 3)])
def test_at_most_that_many_bands_and_frames_are_masked(freq_mask, time_mask, num_masks):
    after = masks(torch.ones(300, 16, 20), freq_mask, time_mask, num_masks)
    bands, frames = (after == 0).all(dim=2), (after == 0).all(dim=1)
    assert bands.sum(dim=1).max() <= freq_mask * num_masks
    assert frames.sum(dim=1).max() <= time_mask * num_masks
    # A value is masked because its whole band or its whole frame is.
    assert torch.equal(after == 0, bands.unsqueeze(2) | frames.unsqueeze(1))


def test_a_mask_wider_than_its_axis_covers_at_most_the_axis():
    after = masks(torch.ones(300, 4, 5), 100, 0, 1)
    assert set((after == 0).all(dim=2).sum(dim=1).tolist()) == {0, 1, 2, 3, 4}


def test_one_mask_is_one_stretch_of_every_width_up_to_the_widest():
    after = masks(torch.ones(500, 16, 3), 4, 0, 1)
    is_masked = (after[:, :, 0] == 0).long()
    edges = is_masked.diff(dim=1, prepend=torch.zeros(500, 1), append=torch.zeros(500, 1))
    assert (edges == 1).sum(dim=1).max() == 1
    assert set(is_masked.sum(1).tolist()) == {0, 1, 2, 3, 4}
    assert is_masked.any(dim=0).all()  # every band is within reach


def test_values_outside_the_masks_are_untouched_and_each_clip_has_its_own():
    features = torch.randn(50, 16, 20, generator=seeded(3))
    after = masks(features, 4, 4, 2)
    assert torch.equal(after[after != 0], features[after != 0])
    assert len({tuple((clip == 0).flatten().tolist()) for clip in after}) > 40


@pytest.mark.parametrize(
    "change",
    [
        lambda seed: gained(WAVES, 3.0, seed),
        lambda seed: shifted_by(WAVES, 9, seed),
        lambda g: masks(WAVES.reshape(100, 8, 16), 3, 3, 2, g),
    ],
    ids=["gain", "shift", "masks"],
)
def test_the_same_seed_draws_the_same_and_another_does_not(change):
    before = WAVES.clone()
    assert torch.equal(change(1), change(1))
    assert not torch.equal(change(1), change(2))
    assert torch.equal(before, WAVES)


def test_off_means_untouched():
    features = torch.randn(4, 8, 16)
    draws = ClipRNG(0, torch.arange(4))
    assert mask(features, Augment(), draws) is features
    waveforms = torch.randn(4, 16)
    assert augment_waveforms(waveforms, Augment(), RATE, draws) is waveforms
    assert not Augment().changes_waveform


def epoch_of(parts, augment: Augment, seed: int = 5):
    batches = training_batches(parts.dataset, parts.split.train, Batching(8, augment), 0, seed)
    return list(batches)


def test_batches_without_wave_changes_are_the_clips_themselves(tiny_parts):
    parts = tiny_parts()
    for batch in epoch_of(parts, Augment()):
        clips = batch.draws.clips
        assert torch.equal(batch.inputs, parts.dataset.unaugmented(clips.numpy()))
        assert torch.equal(batch.targets, parts.dataset.targets[clips])


@pytest.mark.parametrize(
    "augment",
    [Augment(gain_db=6), Augment(shift_s=0.1), Augment(crop="random")],
    ids=["gain", "shift", "crop"],
)
def test_each_change_of_the_wave_reaches_the_batches_and_keeps_order_and_labels(
    tiny_parts, augment
):
    parts = tiny_parts()

    def inputs(what: Augment, seed: int = 5):
        return torch.cat([batch.inputs for batch in epoch_of(parts, what, seed)])

    pairs = zip(epoch_of(parts, Augment()), epoch_of(parts, augment), strict=True)
    assert all(torch.equal(one.targets, other.targets) for one, other in pairs)
    plain, changed = inputs(Augment()), inputs(augment)
    assert plain.shape == changed.shape
    assert not torch.equal(plain, changed)
    assert torch.equal(changed, inputs(augment))
    assert not torch.equal(inputs(augment, 6), changed)


def test_mixed_batches_have_shares_of_two_classes_from_the_epoch_asked_for(tiny_parts):
    parts = tiny_parts()
    batching = Batching(8, Augment(mixes=("timemix",), mix_from_epoch=2))

    def batches(epoch: int):
        return list(training_batches(parts.dataset, parts.split.train, batching, epoch, 5))

    assert all(batch.targets.ndim == 1 and not batch.is_mixed for batch in batches(1))
    for batch in batches(2):
        assert batch.is_mixed
        torch.testing.assert_close(batch.targets.sum(1), torch.ones(len(batch.targets)))
        assert ((batch.targets > 0).sum(1) <= 2).all()


def test_a_clip_drawn_twice_in_a_balanced_epoch_is_changed_in_two_ways(tiny_parts):
    parts = tiny_parts({"data.num_sources": 5})
    few = parts.split.train[:3]
    batching = Batching(100, Augment(gain_db=6), is_balanced=True)
    (batch,) = training_batches(parts.dataset, np.repeat(few, 10), batching, 0, 5)
    assert len(batch.draws.clips.unique()) == len(batch.draws.clips)
    assert len({tuple(row.flatten().tolist()) for row in batch.inputs}) == len(batch.inputs)


def test_a_balanced_epoch_hears_rare_classes_as_often_as_frequent_ones(tiny_parts):
    parts = tiny_parts()
    targets = parts.dataset.targets.numpy()
    rare, frequent = (np.flatnonzero(targets == label) for label in (0, 1))
    clips = np.concatenate([rare[:1], np.tile(frequent, 8)])
    batching = Batching(1000, is_balanced=True)
    heard = torch.cat(
        [
            batch.targets
            for seed in range(40)
            for batch in training_batches(parts.dataset, clips, batching, 0, seed)
        ]
    )
    assert 0.4 < (heard == 0).double().mean() < 0.6


# Options


def test_every_name_of_a_transform_noise_or_mix_is_there():
    assert set(get_args(Transform)) == CHANGES.keys()
    assert set(get_args(Mix)) == MIXES.keys()
    for kind in get_args(Noise):
        assert not torch.equal(chain({"noises": [kind], "noise_p": 1}), CLIPS)


@pytest.mark.parametrize(
    ("idle", "missing"),
    [
        ({"transform_p": 0.3}, "transforms"),
        ({"noise_p": 0.3}, "noises"),
        ({"noise_snr_db": 20}, "noises other than phase"),
        ({"noise_snr_db": 20, "noises": ["phase"]}, "noises other than phase"),
        ({"background_p": 0.3}, "background"),
        ({"background_snr_db": [1, 2]}, "background"),
        ({"resample_factors": [1.5]}, "resample_p"),
        ({"mix_from_epoch": 3}, "mixes"),
        ({"strength": 0.5}, "a change of waveforms"),
        ({"strength": 0.5, "crop": "random", "mixes": ["mixup"]}, "a change of waveforms"),
    ],
)
def test_an_option_without_effect_is_refused(idle, missing):
    with pytest.raises(ValidationError, match=f"no effect without {missing}"):
        Augment.model_validate(idle)


def test_all_faults_of_the_options_come_at_once():
    with pytest.raises(ValidationError) as raised:
        Augment.model_validate(
            {"transforms": ["amp", "amp"], "noise_p": 0.1, "background_snr_db": [9, 3]}
        )
    for fault in ("transforms: got amp, amp", "noise_p: got 0.1", "the lower one first"):
        assert fault in str(raised.value)


def test_what_was_resolved_can_be_read_back():
    for options in ({}, EAT, {"background": "noises", "strength": 0.5}):
        augment = Augment.model_validate(options)
        assert Augment.model_validate(augment.model_dump()) == augment
        assert Augment.model_validate_json(augment.model_dump_json()) == augment


def test_properties_say_what_is_random():
    def says(**options: object) -> tuple[bool, ...]:
        augment = Augment.model_validate(options)
        return augment.changes_waveform, augment.mixes_clips, augment.masks_bands

    assert says() == (False, False, False)
    for options in (
        {"crop": "random"},
        {"gain_db": 1},
        {"shift_s": 0.1},
        {"transforms": ["neg"]},
        {"noises": ["pink"]},
        {"background": "noises"},
        {"resample_p": 0.5},
        {"crop": "random", "gain_db": 3, "strength": 0},
    ):
        assert says(**options) == (True, False, False), options
    assert says(gain_db=3, strength=0) == (False, False, False)
    assert says(mixes=["mixup"]) == (False, True, False)
    assert says(time_mask=3) == (False, False, True)


# The chain

RATE = 8000
CLIPS = 0.1 * torch.randn(60, 1500, generator=seeded(2))
RECORDING = torch.randn(4000, generator=seeded(3))
EAT = {
    "transforms": ["amp", "neg", "tshift", "tmask", "ampsegment", "cycshift"],
    "noises": list(get_args(Noise)),
    "resample_p": 0.5,
}
SURE = {"transform_p": 1.0, "noise_p": 1.0, "background_p": 1.0}
STEPS = {
    "gain": ({"gain_db": 6}, None),
    "shift": ({"shift_s": 0.05}, None),
    **{name: ({"transforms": [name]}, "transform_p") for name in get_args(Transform)},
    **{name: ({"noises": [name]}, "noise_p") for name in get_args(Noise)},
    "background": ({"background": "noises"}, "background_p"),
    "resample": ({}, "resample_p"),
}


def chain(options: dict, waveforms: torch.Tensor = CLIPS, numbers: torch.Tensor | None = None):
    draws = ClipRNG(11, torch.arange(len(waveforms)) if numbers is None else numbers)
    return augment_waveforms(waveforms, Augment.model_validate(options), RATE, draws, RECORDING)


def step_at(name: str, probability: float) -> dict:
    options, chance = STEPS[name]
    return {**options, chance: probability} if chance else options


@pytest.mark.parametrize("name", [name for name, (_, chance) in STEPS.items() if chance])
def test_a_chance_of_nought_is_the_identity_to_the_bit(name):
    assert torch.equal(chain(step_at(name, 0.0)), CLIPS)


@pytest.mark.parametrize("name", [name for name, (_, chance) in STEPS.items() if chance])
def test_as_many_clips_change_as_the_chance_says_and_the_others_keep_every_bit(name):
    waveforms = CLIPS[:, :300].repeat(10, 1)
    after = chain(step_at(name, 0.3), waveforms)
    is_changed = (after != waveforms).any(1)
    assert is_changed.float().mean() == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("name", STEPS)
def test_a_clip_changes_alike_in_every_batch(name):
    options = step_at(name, 0.7)
    together, numbers = chain(options), torch.arange(60)
    alone = [chain(options, CLIPS[[i]], numbers[[i]]) for i in range(60)]
    torch.testing.assert_close(torch.cat(alone), together, rtol=1e-4, atol=1e-6)
    order = torch.randperm(60, generator=seeded(4))
    permuted = chain(options, CLIPS[order], numbers[order])
    torch.testing.assert_close(permuted, together[order], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", STEPS)
def test_silence_in_is_finite_out_and_the_batch_itself_is_untouched(name):
    waveforms = torch.cat([CLIPS[:20], torch.zeros(20, 1500)])
    before = waveforms.clone()
    after = chain(step_at(name, 1.0), waveforms)
    assert after.isfinite().all()
    assert after[20:].abs().max() < 1e-4  # μ-law has no level at 0, tmask a hiss of 1e-6
    assert torch.equal(waveforms, before)


@pytest.mark.parametrize("name", STEPS)
def test_no_strength_is_no_change(name):
    assert chain({**step_at(name, 1.0), "strength": 0.0}) is CLIPS


@pytest.mark.parametrize("name", STEPS)
def test_a_hair_of_strength_is_a_hair_of_change(name):
    """Without a jump at 0: what has a size shrinks, what has none hardly happens."""
    after = chain({**step_at(name, 0.5), "strength": 1e-4})
    assert (after - CLIPS).square().mean() < 1e-3 * CLIPS.square().mean()


def test_the_whole_chain_depends_on_the_clip_and_the_seed_alone():
    options = {**EAT, **SURE, "background": "noises", "gain_db": 3}
    after = chain(options)
    assert after.shape == CLIPS.shape
    assert torch.equal(after, chain(options))
    some = torch.tensor([40, 3, 17])
    torch.testing.assert_close(chain(options, CLIPS[some], some), after[some], rtol=1e-3, atol=1e-5)
    assert not torch.equal(chain(options, CLIPS, torch.arange(60) + 60), after)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_runs_where_the_waves_are(name):
    """A device without memory: it refuses what would mix two devices, and computes nothing."""
    assert chain(step_at(name, 1.0), CLIPS.to("meta")).device.type == "meta"


@pytest.mark.parametrize("name", MIXES)
def test_mixes_and_masks_run_where_the_waves_are(name):
    options = Augment(mixes=(name,), freq_mask=3, time_mask=3)
    draws, targets = ClipRNG(0, torch.arange(60)), torch.zeros(60, 5, device="meta")
    waveforms, targets = mix(CLIPS.to("meta"), targets, options, RATE, draws, 0, False)
    masked_waves = mask(waveforms.view(60, 10, 150), options, draws)
    assert {waveforms.device.type, targets.device.type, masked_waves.device.type} == {"meta"}


def test_one_transform_more_leaves_the_draws_of_the_others_as_they_were():
    alone, with_neg = (chain({"transforms": names}) for names in (["amp"], ["neg", "amp"]))
    torch.testing.assert_close(with_neg.abs(), alone.abs())


def test_the_order_of_transforms_is_drawn_for_each_clip():
    """Gain before μ-law or after it: the results differ, and both occur."""
    both = chain({"transforms": ["amp", "mulaw"], "transform_p": 1})
    amp = chain({"transforms": ["amp"], "transform_p": 1})
    mulaw_last = chain({"transforms": ["mulaw"], "transform_p": 1}, amp)
    is_last = (both == mulaw_last).all(1)
    assert 15 <= is_last.sum() <= 45


def test_gain_and_shift_stay_within_their_bounds():
    decibels = 20 * (chain({"gain_db": 6}) / CLIPS)[:, 0].log10()
    assert decibels.abs().max() <= 6 + 1e-4
    assert decibels.min() < -4
    assert decibels.max() > 4
    impulse = torch.zeros(200, 1001)
    impulse[:, 500] = 1
    moved = chain({"shift_s": 0.05}, impulse).argmax(1) - 500
    assert moved.abs().max() <= 400
    assert moved.min() < -360
    assert moved.max() > 360


def test_a_background_that_was_not_opened_is_our_own_mistake():
    with pytest.raises(AssertionError, match="open_background"):
        augment_waveforms(CLIPS, Augment(background="noises"), RATE, ClipRNG(0, torch.arange(60)))


def test_a_resampled_clip_is_a_stretch_of_the_longer_or_the_whole_of_the_shorter():
    longer, shorter = (
        chain({"resample_p": 1, "resample_factors": [factor]}, torch.ones(60, 1000))
        for factor in (1.25, 0.8)
    )
    assert (longer[:, 100:-100] - 1).abs().max() < 0.01
    assert (shorter[:, 100:700] - 1).abs().max() < 0.01
    assert (shorter[:, 800:] == 0).all()


def test_crops_begin_anywhere_from_the_first_sample_to_the_last_that_leaves_enough():
    slack = torch.tensor([0, 3, 100_000]).repeat(2000)
    none, few, many = crop_offsets(slack, ClipRNG(0, torch.arange(6000))).view(-1, 3).T
    assert none.max() == 0
    assert set(few.tolist()) == {0, 1, 2, 3}
    assert many.min() < 500
    assert 99_500 < many.max() <= 100_000


# Masks


def masked_ones(shape: tuple[int, ...], seed: int = 0, **options: int) -> torch.Tensor:
    draws = ClipRNG(seed, torch.arange(shape[0]))
    return mask(torch.ones(shape), Augment.model_validate(options), draws)


@pytest.mark.parametrize(("freq_mask", "time_mask", "num_masks"), [(3, 0, 1), (0, 4, 2), (5, 6, 3)])
def test_masks_cover_whole_bands_and_frames_no_wider_than_allowed(freq_mask, time_mask, num_masks):
    after = masked_ones(
        (300, 16, 20), freq_mask=freq_mask, time_mask=time_mask, num_masks=num_masks
    )
    bands, frames = (after == 0).all(dim=2), (after == 0).all(dim=1)
    assert bands.sum(dim=1).max() <= freq_mask * num_masks
    assert frames.sum(dim=1).max() <= time_mask * num_masks
    assert torch.equal(after == 0, bands.unsqueeze(2) | frames.unsqueeze(1))


def test_one_mask_is_one_stretch_of_every_width_anywhere():
    is_masked = (masked_ones((500, 16, 3), freq_mask=4, num_masks=1)[:, :, 0] == 0).long()
    edges = is_masked.diff(dim=1, prepend=torch.zeros(500, 1), append=torch.zeros(500, 1))
    assert (edges == 1).sum(dim=1).max() == 1
    assert torch.bincount(is_masked.sum(1), minlength=5).min() > 60  # alike likely: 100 each
    assert is_masked.any(dim=0).all()


def test_a_mask_as_wide_as_its_axis_may_cover_it_all():
    widths = (masked_ones((300, 4, 5), freq_mask=100, num_masks=1) == 0).all(dim=2).sum(dim=1)
    assert set(widths.tolist()) == {0, 1, 2, 3, 4}


def test_masks_are_a_clips_own_and_leave_the_rest_and_the_argument():
    features = torch.randn(50, 16, 20, generator=seeded(3))
    before, options = features.clone(), Augment(freq_mask=4, time_mask=4)
    after = mask(features, options, ClipRNG(0, torch.arange(50)))
    assert torch.equal(features, before)
    assert torch.equal(after[after != 0], features[after != 0])
    assert len({tuple((clip == 0).flatten().tolist()) for clip in after}) > 40
    assert torch.equal(mask(features[[7]], options, ClipRNG(0, torch.tensor([7]))), after[[7]])
    assert not torch.equal(mask(features, options, ClipRNG(1, torch.arange(50))), after)


def test_no_masks_are_no_work():
    features = torch.ones(2, 3, 4)
    assert mask(features, Augment(), ClipRNG(0, torch.arange(2))) is features
