"""Changes of single clips, each by its physics."""

import math

import pytest
import torch
from helpers.audio import sine
from torch import Tensor

from audiocls.audio.augment import spectral as sp
from audiocls.audio.augment import waveform as wf
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.transforms import CHANGES, AugmentationStrength

RATE = 8000
DOSE = AugmentationStrength(RATE)
CLIPS = 200
DRAWS = ClipRNG(5, torch.arange(CLIPS))
NOISE = 0.1 * torch.randn(CLIPS, 2000, generator=torch.Generator().manual_seed(0))


def level_at(waveforms: Tensor, hertz: float) -> Tensor:
    """Amplitude of the bin at `hertz`, (B,)."""
    bins = torch.fft.rfft(waveforms).abs() * 2 / waveforms.shape[1]
    return bins[:, round(hertz * waveforms.shape[1] / RATE)]


def peak_hertz(waveforms: Tensor) -> Tensor:
    return torch.fft.rfft(waveforms).abs().argmax(1) * (RATE / waveforms.shape[1])


def changed(name: str, waveforms: Tensor = NOISE, dose: AugmentationStrength = DOSE) -> Tensor:
    return CHANGES[name](waveforms, ClipRNG(5, torch.arange(len(waveforms))), dose)


# Sample by sample


def test_amp_is_one_gain_a_clip_from_a_half_to_1_3():
    gains = changed("amp") / NOISE
    torch.testing.assert_close(gains, gains[:, :1].expand_as(gains))
    assert 0.5 <= gains.min() < 0.52
    assert 1.28 < gains.max() < 1.3 + 1e-5


@pytest.mark.parametrize("name", ["neg", "reverse"])
def test_twice_is_not_at_all(name):
    assert torch.equal(changed(name, changed(name)), NOISE)
    assert not torch.equal(changed(name), NOISE)


def test_neg_changes_the_sign_and_reverse_the_direction():
    assert torch.equal(changed("neg"), -NOISE)
    assert torch.equal(changed("reverse")[:, 0], NOISE[:, -1])


@pytest.mark.parametrize("shift", [-7, -1, 0, 3, 12])
def test_a_whole_shift_moves_every_sample_and_fills_with_zeros(shift):
    ramp = torch.arange(1.0, 11).unsqueeze(0)
    after = wf.time_shift(ramp, torch.tensor([shift]), bound=12)
    expected = [ramp[0, t - shift].item() if 0 <= t - shift < 10 else 0.0 for t in range(10)]
    assert after.tolist() == [expected]


def test_tshift_stays_within_a_tenth_of_a_second_and_reaches_both_ends():
    impulse = torch.zeros(CLIPS, 2001)
    impulse[:, 1000] = 1.0
    moved = changed("tshift", impulse).argmax(1) - 1000
    assert moved.abs().max() <= 801
    assert moved.min() < -700
    assert moved.max() > 700


@pytest.mark.parametrize("num_samples", [1000, 1001])
def test_a_fractional_delay_keeps_the_magnitudes_and_is_undone_by_its_negative(num_samples):
    waveforms = NOISE[:8, :num_samples]
    delays = torch.linspace(-0.5, 0.5, 8).unsqueeze(1)
    later = sp.delay(waveforms, delays)
    torch.testing.assert_close(
        torch.fft.rfft(later).abs(), torch.fft.rfft(waveforms).abs(), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(sp.delay(later, -delays), waveforms, rtol=1e-4, atol=1e-6)


def test_a_fractional_delay_moves_a_tone_by_that_fraction_of_a_sample():
    later = sp.delay(sine(440.0, RATE), torch.tensor([[0.3]]))
    expected = sine(440.0, RATE, phase=-2 * math.pi * 440 * 0.3 / RATE)
    torch.testing.assert_close(later, expected, rtol=0, atol=1e-4)


def test_a_delay_of_one_sample_is_a_roll():
    waveforms = NOISE[:, :1999]
    later = sp.delay(waveforms, torch.ones(CLIPS, 1))
    torch.testing.assert_close(later, waveforms.roll(1, 1), rtol=0, atol=1e-6)


def test_tmask_silences_a_tenth_of_a_second_and_leaves_the_rest():
    after = changed("tmask")
    is_same = after == NOISE
    assert (~is_same).sum(1).max() <= 0.1 * RATE
    assert (~is_same).sum(1).min() > 0.1 * RATE - 5
    hiss = after[~is_same]
    assert hiss.abs().max() < 6e-6
    assert hiss.std() == pytest.approx(1e-6, rel=0.05)
    edges = (~is_same).float().diff(dim=1).abs().sum(1)
    assert edges.max() <= 2 + 6  # one stretch, but for a few samples that hit their old value
    assert (~is_same).any(0).float().mean() > 0.95


def test_ampsegment_scales_a_tenth_of_a_second_and_leaves_the_rest():
    gains = changed("ampsegment") / NOISE
    is_same = gains == 1.0
    assert (~is_same).sum(1).max() <= 0.1 * RATE
    for row, same in zip(gains, is_same, strict=True):
        assert row[~same].std() < 1e-5
        assert 0.5 <= row[~same].mean() <= 1.3 + 1e-5


def test_cycshift_loses_no_sample_and_turns_by_anything():
    ramp = torch.arange(50.0).expand(CLIPS, 50)
    after = changed("cycshift", ramp)
    for row in after:
        assert torch.equal(row, torch.arange(50.0).roll(int(row.argmin())))
    assert len(after[:, 0].unique()) > 45


def test_mu_law_has_256_levels_keeps_full_scale_and_is_finer_around_silence():
    ramp = torch.linspace(-1, 1, 20_001).unsqueeze(0)
    after = wf.mu_law_round_trip(ramp)
    assert len(after.unique()) == 256
    assert after.min() == pytest.approx(-1)
    assert after.max() == pytest.approx(1)
    error = (after - ramp).abs()[0]
    assert error.max() < 0.025
    assert error[9800:10200].max() < 0.001
    torch.testing.assert_close(wf.mu_law_round_trip(after), after)


def test_mu_law_clips_what_is_beyond_full_scale():
    assert wf.mu_law_round_trip(torch.tensor([[-3.0, 3.0]])).tolist() == [
        [pytest.approx(-1), pytest.approx(1)]
    ]


# Through the spectrum


@pytest.mark.parametrize("shift", [-300.0, -50.0, 50.0, 1000.0])
def test_a_frequency_shift_moves_a_tone_by_its_hertz_and_keeps_its_level(shift):
    moved = sp.frequency_shift(sine(1000.0, RATE), torch.tensor([[shift]]), RATE)
    assert peak_hertz(moved).item() == 1000.0 + shift
    assert level_at(moved, 1000.0 + shift).item() == pytest.approx(1.0, abs=1e-3)
    assert level_at(moved, 1000.0 - shift).item() < 1e-3  # a single sideband


def test_freqshift_moves_by_up_to_50_hertz_either_way():
    moved = peak_hertz(changed("freqshift", sine(1000.0, RATE).expand(60, -1))) - 1000
    assert moved.abs().max() <= 50
    assert moved.min() < -40
    assert moved.max() > 40


@pytest.mark.parametrize(("name", "far"), [("lowpass", 2000.0), ("highpass", 500.0)])
def test_filters_halve_the_power_at_the_cutoff_and_fall_by_24_db_an_octave(name, far):
    filtered, cutoff = getattr(sp, name), torch.tensor([[1000.0]])
    at_cutoff = level_at(filtered(sine(1000.0, RATE), cutoff, RATE), 1000.0).item()
    assert 20 * math.log10(at_cutoff) == pytest.approx(-3.01, abs=0.02)
    an_octave_off = level_at(filtered(sine(far, RATE), cutoff, RATE), far).item()
    assert 20 * math.log10(an_octave_off) == pytest.approx(-24.1, abs=0.1)


@pytest.mark.parametrize(("name", "kept"), [("lowpass", 250.0), ("highpass", 3900.0)])
def test_filters_pass_what_they_should_without_delay(name, kept):
    waveforms = sine(kept, RATE)
    after = getattr(sp, name)(waveforms, torch.tensor([[1000.0]]), RATE)
    torch.testing.assert_close(after, waveforms, rtol=0, atol=1e-3)


def test_a_highpass_takes_away_a_constant():
    assert sp.highpass(torch.ones(1, 100), torch.tensor([[10.0]]), RATE).abs().max() < 1e-6


def test_a_room_with_one_echo_is_the_sound_and_its_echo():
    tail = torch.zeros(1, 300)
    tail[0, 200] = 0.5
    impulse = torch.eye(1, 1000)
    after = sp.reverberate(impulse, tail)
    torch.testing.assert_close(after[0, 200] / after[0, 0], torch.tensor(0.5))
    assert (after.abs() > 1e-6).sum() == 2


def test_an_echo_after_the_end_does_not_come_round_to_the_beginning():
    wave, tail = torch.zeros(1, 1000), torch.zeros(1, 300)
    wave[0, 900], tail[0, 200] = 1.0, 0.5
    torch.testing.assert_close(sp.reverberate(wave, tail), wave, rtol=0, atol=1e-6)


def test_a_room_keeps_the_level_and_decays_by_60_db_in_its_time():
    after = changed("room")
    torch.testing.assert_close(wf.rms(after), wf.rms(NOISE))
    impulse = torch.zeros(CLIPS, 6000)
    impulse[:, 0] = 1.0
    echoes = changed("room", impulse)[:, 1:] ** 2
    early, late = echoes[:, :200].mean(1), echoes[:, 400:600].mean(1)
    fall_db = 10 * (early / late).log10()  # 0.05 s: 30 dB at a decay of 0.1 s, 6 dB at 0.5 s
    assert 4 < fall_db.min() < 9
    assert 24 < fall_db.max() < 34


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.2])
def test_resampling_moves_a_tone_and_the_length_by_the_factor(factor):
    after = sp.resample(sine(1000.0, RATE), factor)
    assert after.shape[1] == round(factor * RATE)
    hertz = peak_hertz(after).item()
    assert hertz == pytest.approx(1000 / factor, abs=1.0)
    assert after[:, 100:-100].abs().max() == pytest.approx(1.0, abs=0.01)


def test_resampling_to_fewer_samples_folds_nothing_back():
    """0.5 times the rate: what is above the new limit of 2 kHz must vanish, not alias."""
    assert wf.rms(sp.resample(sine(3000.0, RATE), 0.5)[:, 50:-50]) < 0.01


@pytest.mark.parametrize("window", [128, 512])
@pytest.mark.parametrize("num_samples", [1, 100, 1999, 2048])
def test_a_spectrum_and_back_is_the_wave_at_any_length(window, num_samples):
    waveforms = NOISE[:3, :1].expand(3, num_samples) + torch.arange(num_samples) / num_samples
    back = sp.istft(sp.stft(waveforms, window), window, num_samples)
    torch.testing.assert_close(back, waveforms, rtol=0, atol=1e-6)


def test_the_spectra_are_those_of_torch_in_the_interior():
    window, waveforms = 256, NOISE[:4]
    ours = sp.stft(waveforms, window)
    theirs = torch.stft(
        waveforms, window, 64, window=torch.hann_window(window), center=False, return_complex=True
    ).transpose(1, 2)
    torch.testing.assert_close(ours[:, 3 : 3 + theirs.shape[1]], theirs)


def test_turning_keeps_magnitudes_and_moves_phases():
    spectra = sp.stft(NOISE[:2], 128)
    angles = torch.full(spectra.shape, 0.5)
    after = sp.rotate_phases(spectra, angles)
    torch.testing.assert_close(after.abs(), spectra.abs())
    torch.testing.assert_close(after, spectra * complex(math.cos(0.5), math.sin(0.5)))
    torch.testing.assert_close(sp.phase_of(spectra), spectra.angle())


# All of them


@pytest.mark.parametrize("name", CHANGES)
def test_no_transform_writes_into_its_argument_or_changes_its_shape(name):
    before = NOISE.clone()
    after = changed(name)
    assert after.shape == NOISE.shape
    assert after.dtype == torch.float32
    assert torch.equal(NOISE, before)
    assert not torch.equal(after, before)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("num_samples", [2, 77])
def test_clips_shorter_than_a_segment_and_silence_stay_finite(name, num_samples):
    for waveforms in (NOISE[:20, :num_samples], torch.zeros(20, num_samples)):
        after = changed(name, waveforms)
        assert after.shape == waveforms.shape
        assert after.isfinite().all()


@pytest.mark.parametrize("name", ["amp", "ampsegment", "tmask", "room", "lowpass", "highpass"])
def test_half_the_strength_changes_less(name):
    full, half, hardly = (
        (changed(name, dose=AugmentationStrength(RATE, strength)) - NOISE).square().mean()
        for strength in (1.0, 0.5, 0.01)
    )
    assert hardly < 0.02 * full
    assert hardly < half < 0.9 * full


@pytest.mark.parametrize(
    ("name", "strength"), [("tshift", 1.0), ("cycshift", 0.2), ("freqshift", 0.002)]
)
def test_shifts_shrink_with_the_strength(name, strength):
    slow = sine(1.0, RATE).expand(50, -1)  # the further it moves, the more it differs
    full, half = (
        (changed(name, slow, AugmentationStrength(RATE, dose)) - slow).abs().mean()
        for dose in (strength, strength / 2)
    )
    assert 0.4 * full < half < 0.6 * full
