"""Mixing clips: which part is whose, and what the target says of it."""

import pytest
import torch
from helpers.audio import sine
from torch import Tensor

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.mixing import (
    MIXES,
    cutmix,
    freqmix,
    mix,
    mix_phases,
    mix_targets,
    mixup,
    partners_of,
    phasemix,
    timemix,
)
from audiocls.audio.augment.spectral import stft
from audiocls.audio.augment.waveform import rms

RATE = 8000
CLIPS = 30
DRAWS = ClipRNG(3, torch.arange(CLIPS))
WAVES = 0.1 * torch.randn(CLIPS, 1000, generator=torch.Generator().manual_seed(0))
TARGETS = torch.eye(CLIPS)


def share(*values: float) -> Tensor:
    return torch.tensor(values).unsqueeze(1)


def level_at(wave: Tensor, hertz: int) -> float:
    return float(torch.fft.rfft(wave[0]).abs()[hertz] * 2 / RATE)


def mixed(*names: str, epoch: int = 0, is_union: bool = False, **options: object) -> tuple:
    augment = Augment.model_validate({"mixes": names, **options})
    return mix(WAVES, TARGETS, augment, RATE, DRAWS, epoch, is_union)


# Two clips


def test_mixup_gives_loudness_its_share_and_keeps_the_energy():
    generator = torch.Generator().manual_seed(1)
    own, other = (torch.randn(4, 20_000, generator=generator) for _ in range(2))
    own = own * share(1.0, 10.0, 0.01, 1.0)
    shares = share(0.5, 0.5, 0.3, 1.0)
    waveforms, weights = mixup(own, other, shares)
    # At half and half a clip 10 times as loud (20 dB) gets 1/11 of the samples.
    expected = share(0.5, 1 / 11, 1 / (1 + 0.01 * 0.7 / 0.3), 1.0)
    torch.testing.assert_close(weights, expected, rtol=0.01, atol=0)
    # The two parts are heard in the ratio of the shares …
    heard = weights * rms(own) / ((1 - weights) * rms(other))
    torch.testing.assert_close(heard[:3], (shares / (1 - shares))[:3])
    # … and unrelated clips of equal level mix to that level.
    torch.testing.assert_close(rms(waveforms)[0], rms(own)[0], rtol=0.02, atol=0)
    assert torch.equal(waveforms[3], own[3])


def test_a_clip_mixed_up_with_silence_stays_as_it_is():
    own, silent = WAVES[:2], torch.zeros(2, 1000)
    for one, two in ((own, silent), (silent, own), (silent, silent)):
        waveforms, weights = mixup(one, two, share(0.5, 0.2))
        assert torch.equal(waveforms, one)
        assert torch.equal(weights, torch.ones(2, 1))


def test_timemix_is_one_clip_before_a_moment_and_the_other_after():
    own, other = torch.ones(2, 100), -torch.ones(2, 100)
    after = timemix(own, other, share(0.75, 0.5), torch.tensor([[True], [False]]))
    assert torch.equal(after[0], torch.cat([torch.ones(75), -torch.ones(25)]))
    assert torch.equal(after[1], torch.cat([-torch.ones(50), torch.ones(50)]))


def test_cutmix_is_the_other_clip_in_one_stretch_of_its_share():
    own, other = torch.ones(3, 100), -torch.ones(3, 100)
    after = cutmix(own, other, share(0.75, 0.75, 1.0), share(0.0, 1.0, 0.5))
    assert torch.equal(after[0], torch.cat([-torch.ones(25), torch.ones(75)]))
    assert torch.equal(after[1], torch.cat([torch.ones(75), -torch.ones(25)]))
    assert torch.equal(after[2], own[2])


@pytest.mark.parametrize("window", [128, 256, 512])
@pytest.mark.parametrize("is_end", [True, False])
def test_freqmix_takes_one_band_of_the_other_and_leaves_the_rest_untouched(window, is_end):
    """At a share of a half the border is 2 kHz: each clip's tone below and above it."""
    own, other = sine(500, RATE) + sine(3500, RATE), sine(700, RATE) + sine(3300, RATE)
    after = freqmix(own, other, share(0.5), torch.tensor([[is_end]]), window)
    kept, gone, come, stayed_out = (500, 3500, 3300, 700) if is_end else (3500, 500, 700, 3300)
    assert level_at(after, kept) == pytest.approx(1, abs=0.01)
    assert level_at(after, come) == pytest.approx(1, abs=0.01)
    assert level_at(after, gone) < 0.01
    assert level_at(after, stayed_out) < 0.01


def test_what_the_other_plays_below_the_border_never_reaches_the_mixture():
    """The untouched band by difference: it is the same whoever the other clip is."""
    top = torch.tensor([[True]])
    before, after = (
        freqmix(WAVES[:1], other, share(0.5), top, 256) for other in (WAVES[1:2], WAVES[2:3])
    )
    spectrum = torch.fft.rfft(before - after).abs()[0]
    border = len(spectrum) // 2
    assert spectrum[: border - 20].max() < 0.02 * spectrum[border + 20 :].max()


def test_freqmix_and_phasemix_of_a_clip_with_itself_are_the_clip():
    same = share(0.7).expand(CLIPS, 1)
    for after in (
        freqmix(WAVES, WAVES, same, same > 0, 256),
        phasemix(WAVES, WAVES, same, 256),
        phasemix(WAVES, WAVES.flip(0), torch.ones(CLIPS, 1), 256),
    ):
        torch.testing.assert_close(after, WAVES, rtol=0, atol=1e-5)


def test_phasemix_keeps_the_magnitudes_and_moves_the_phases():
    own, other = stft(WAVES[:2], 256), stft(WAVES[2:4], 256)
    shares = share(0.5, 0.0).unsqueeze(2)
    after = mix_phases(own, other, shares)
    torch.testing.assert_close(after.abs(), own.abs(), rtol=1e-4, atol=1e-5)
    expected = shares * own.angle() + (1 - shares) * other.angle()
    is_loud = own.abs() > 0.1
    turn = (after / torch.polar(own.abs(), expected))[is_loud].angle()
    assert turn.abs().max() < 1e-3


# A batch


def test_partners_are_others_and_each_clip_is_the_partner_of_one():
    for seed in range(20):
        partners = partners_of(ClipRNG(seed, torch.arange(7)))
        assert (partners != torch.arange(7)).all()
        assert sorted(partners.tolist()) == list(range(7))


def test_partners_do_not_hang_on_the_order_of_the_batch():
    order = torch.randperm(CLIPS, generator=torch.Generator().manual_seed(8))
    clips = DRAWS.clips[order]
    partners = clips[partners_of(ClipRNG(3, clips))]
    assert torch.equal(partners, DRAWS.clips[partners_of(DRAWS)][order])


@pytest.mark.parametrize("name", MIXES)
def test_soft_targets_are_of_two_clips_and_sum_to_one(name):
    waveforms, targets = mixed(name)
    torch.testing.assert_close(targets.sum(1), torch.ones(CLIPS))
    own, other = targets.diagonal(), targets[torch.arange(CLIPS), partners_of(DRAWS)]
    torch.testing.assert_close(own + other, torch.ones(CLIPS))
    assert own.min() >= (0 if name == "mixup" else 0.5)
    assert len(own.unique()) == CLIPS
    assert (waveforms != WAVES).any(1).all()


@pytest.mark.parametrize("name", ["timemix", "cutmix"])
def test_a_target_says_how_much_of_the_wave_is_whose(name):
    waveforms, targets = mixed(name)
    kept = (waveforms == WAVES).float().mean(1)
    torch.testing.assert_close(kept, targets.diagonal(), rtol=0, atol=0.002)
    comes = waveforms == WAVES[partners_of(DRAWS)]
    assert ((waveforms == WAVES) | comes).all()


def test_phasemix_never_leaves_a_clip_less_than_half_of_its_target():
    _, targets = mixed("phasemix")
    assert 0.5 <= targets.diagonal().min() < 0.6
    assert targets.diagonal().max() > 0.9


def test_a_union_has_the_classes_of_both_unless_the_other_has_less_than_a_tenth():
    own = torch.tensor([[1.0, 0, 1, 0]]).expand(3, 4)
    other = torch.tensor([[0.0, 1, 1, 0]]).expand(3, 4)
    union = mix_targets(own, other, share(0.5, 0.89, 0.92), is_union=True)
    assert union.tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 1, 0]]


def test_multi_hot_and_soft_targets_are_mixed_alike():
    own, other = torch.tensor([[1.0, 1, 0]]), torch.tensor([[0.0, 0.5, 0.5]])
    soft = mix_targets(own, other, share(0.6), is_union=False)
    torch.testing.assert_close(soft, torch.tensor([[0.6, 0.8, 0.2]]))


def test_every_clip_is_mixed_in_one_of_the_ways_asked_for():
    together, _ = mixed("timemix", "cutmix")
    each = torch.stack([mixed(name)[0] for name in ("timemix", "cutmix")])
    matches = (each == together).all(2)
    assert (matches.sum(0) == 1).all()
    assert 5 <= matches[0].sum() <= 25


def test_nothing_is_mixed_before_its_epoch():
    for epoch in (0, 11):
        waveforms, targets = mixed("mixup", epoch=epoch, mix_from_epoch=12)
        assert torch.equal(waveforms, WAVES)
        assert torch.equal(targets, TARGETS)
    assert not torch.equal(mixed("mixup", epoch=12, mix_from_epoch=12)[0], WAVES)


def test_a_clip_alone_and_no_mixes_are_left_as_they_are():
    alone = mix(WAVES[:1], TARGETS[:1], Augment(mixes=("mixup",)), RATE, DRAWS, 0, True)
    assert torch.equal(alone[0], WAVES[:1])
    assert torch.equal(alone[1], TARGETS[:1])
    assert mixed()[0] is WAVES


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("num_samples", [1, 3, 1000])
def test_silence_among_the_clips_stays_finite(name, num_samples):
    waveforms = WAVES[:, :num_samples].clone()
    waveforms[::2] = 0.0
    options = Augment(mixes=(name,))
    for batch in (waveforms, torch.zeros_like(waveforms)):
        after, targets = mix(batch, TARGETS, options, RATE, DRAWS, 0, False)
        assert after.isfinite().all()
        assert targets.isfinite().all()


@pytest.mark.parametrize("name", MIXES)
def test_the_same_draws_mix_the_same_and_nothing_is_written_into_the_batch(name):
    before = WAVES.clone()
    first, again = mixed(name), mixed(name)
    assert all(map(torch.equal, first, again))
    assert torch.equal(WAVES, before)
    assert torch.equal(TARGETS, torch.eye(CLIPS))
