"""Noise: its colour, its level, and recordings laid under clips."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from torch import Tensor

from audiocls.audio.augment import Augment
from audiocls.audio.augment.background import open_background
from audiocls.audio.augment.chain import augment_waveforms
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.noise import EXPONENTS, add_noise, add_phase_noise, coloured_noise, sine
from audiocls.audio.augment.waveform import rms
from audiocls.errors import DataError

RATE = 8000
CLIPS = 40
DRAWS = ClipRNG(2, torch.arange(CLIPS))
WAVES = torch.randn(CLIPS, 8000, generator=torch.Generator().manual_seed(0)) * torch.linspace(
    0.001, 0.5, CLIPS
).unsqueeze(1)
ADDED = ["white", "blue", "pink", "red", "violet", "uniform"]


def decibels(ratio: Tensor) -> Tensor:
    return 20 * ratio.log10()


def change(waveforms: Tensor = WAVES, recording: Tensor | None = None, **options: object) -> Tensor:
    draws = ClipRNG(2, torch.arange(len(waveforms)))
    return augment_waveforms(waveforms, Augment.model_validate(options), RATE, draws, recording)


@pytest.mark.parametrize(
    ("colour", "db_an_octave"),
    [("white", 0.0), ("pink", -3.01), ("red", -6.02), ("blue", 3.01), ("violet", 6.02)],
)
def test_a_colour_is_a_slope_of_the_spectrum(colour, db_an_octave):
    power = torch.fft.rfft(coloured_noise(DRAWS, EXPONENTS[colour], 8192)).abs().square().mean(0)
    octaves = torch.arange(3, 12)
    levels = [power[2**k : 2 ** (k + 1)].log10().mean() * 10 for k in octaves]
    slope = np.polyfit(octaves.numpy(), torch.stack(levels).numpy(), 1)[0]
    assert slope == pytest.approx(db_an_octave, abs=0.15)
    assert power[0] < 1e-6 * power.mean()  # no constant


def test_white_noise_is_gaussian_and_differs_from_clip_to_clip():
    noise = coloured_noise(DRAWS, 0.0, 8191)
    standard = noise / rms(noise)
    assert (standard**4).mean() == pytest.approx(3.0, abs=0.05)
    assert torch.corrcoef(noise).fill_diagonal_(0).abs().max() < 0.07


@pytest.mark.parametrize("kind", ADDED)
@pytest.mark.parametrize("snr_db", [30.0, 0.0])
def test_noise_lies_at_the_requested_ratio_within_a_tenth_of_a_decibel(kind, snr_db):
    noise = change(noises=[kind], noise_p=1, noise_snr_db=snr_db) - WAVES
    torch.testing.assert_close(
        decibels(rms(WAVES) / rms(noise)), torch.full((CLIPS, 1), snr_db), rtol=0, atol=0.1
    )


def test_uniform_noise_is_flat_between_its_bounds():
    noise = change(noises=["uniform"], noise_p=1, noise_snr_db=10) - WAVES
    assert (noise.abs().amax(1, keepdim=True) / rms(noise)).max() < math.sqrt(3) * 1.02


def test_a_sine_is_a_low_hum_30_to_35_db_down():
    hum = change(noises=["sine"], noise_p=1) - WAVES
    ratios = decibels(rms(WAVES) / rms(hum))
    assert 30 - 0.1 <= ratios.min() < 31
    assert 34 < ratios.max() <= 35 + 0.1
    hertz = torch.fft.rfft(sine(DRAWS, RATE, RATE)).abs().argmax(1)
    assert hertz.max() < 65
    assert len(hertz.unique()) > 15


def test_phase_noise_turns_by_a_hundredth_of_a_radian_and_keeps_the_level():
    after = change(noises=["phase"], noise_p=1)
    torch.testing.assert_close(rms(after), rms(WAVES), rtol=1e-3, atol=0)
    ratios = decibels(rms(after - WAVES) / rms(WAVES))
    # A turn by φ moves a value by |φ|: 0.01 to 0.02, less what four windows average away.
    assert ratios.min() > -48
    assert ratios.max() < -34
    unturned = add_phase_noise(WAVES, DRAWS, 256, strength=0.0)
    torch.testing.assert_close(unturned, WAVES, rtol=0, atol=1e-6)


def test_silence_of_either_leaves_the_clip_as_it_is():
    silent, loud = torch.zeros(2, 100), torch.ones(2, 100)
    for waveforms, noise in ((silent, loud), (loud, silent), (silent, silent)):
        assert torch.equal(add_noise(waveforms, noise, 20.0), waveforms)


def test_noise_goes_with_the_strength():
    options = {"noises": ["pink"], "noise_p": 1, "noise_snr_db": 0}
    full, half = change(**options) - WAVES, change(**options, strength=0.5) - WAVES
    torch.testing.assert_close(half, 0.5 * full, rtol=1e-3, atol=1e-6)


def test_a_clip_gets_one_kind_and_every_kind_gets_its_clips():
    kinds = ["white", "sine"]
    both = change(noises=kinds, noise_p=1)
    each = [change(noises=[kind], noise_p=1) for kind in kinds]
    matches = torch.stack([(both - one).abs().amax(1) < 1e-6 for one in each])
    assert (matches.sum(0) == 1).all()
    assert 10 <= matches[0].sum() <= 30


# Background recordings


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, samples.astype(np.float32))


def test_recordings_follow_each_other_in_the_order_of_their_paths(tmp_path):
    write(tmp_path / "b.wav", np.full(300, 0.5))
    write(tmp_path / "a" / "c.WAV", np.full(200, 0.25))
    write(tmp_path / "z.wav", np.zeros(2 * RATE), 2 * RATE)
    (tmp_path / "README.md").write_text("no recording")
    recording = open_background(tmp_path, RATE)
    assert recording.dtype == torch.float32
    assert recording.unique_consecutive(return_counts=True)[1].tolist() == [200, 300, RATE]


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no wav, flac, ogg, mp3 file in it.*correct the path"):
        open_background(tmp_path, RATE)
    with pytest.raises(DataError, match="no such folder"):
        open_background(tmp_path / "gone", RATE)


def test_all_broken_recordings_are_named_at_once(tmp_path):
    write(tmp_path / "good.wav", np.ones(10))
    for name in ("one.wav", "two.flac"):
        (tmp_path / name).write_bytes(b"no audio")
    with pytest.raises(DataError, match=r"(?s)one\.wav.*two\.flac"):
        open_background(tmp_path, RATE)


BACKGROUND = {"background": "noises", "background_p": 1}


def test_background_lies_at_a_ratio_of_its_range():
    recording = torch.randn(50_000, generator=torch.Generator().manual_seed(4))
    under = change(recording=recording, **BACKGROUND) - WAVES
    ratios = decibels(rms(WAVES) / rms(under))
    assert 20 - 0.1 <= ratios.min() < 21
    assert 24 < ratios.max() <= 25 + 0.1
    exactly = change(recording=recording, **BACKGROUND, background_snr_db=[3, 3]) - WAVES
    torch.testing.assert_close(
        decibels(rms(WAVES) / rms(exactly)), torch.full((CLIPS, 1), 3.0), rtol=0, atol=0.1
    )


def test_background_is_a_stretch_of_the_recording_from_anywhere():
    ramp = torch.arange(1.0, 20_001)
    under = change(torch.ones(300, 10), recording=ramp, **BACKGROUND).double() - 1
    steps = under.diff(dim=1).mean(1)
    starts = under.mean(1) / steps - 5.5
    assert 0 - 60 <= starts.min() < 500
    assert 19_400 < starts.max() < 20_060


def test_a_recording_shorter_than_a_clip_is_repeated():
    recording = torch.tensor([1.0, -1.0, 2.0])
    under = change(recording=recording, **BACKGROUND) - WAVES
    torch.testing.assert_close(under[:, 3:], under[:, :-3], rtol=0, atol=1e-5)


def test_silent_background_and_silent_clips_stay_as_they_are():
    assert torch.equal(change(recording=torch.zeros(9000), **BACKGROUND), WAVES)
    silent = torch.zeros(5, 100)
    assert torch.equal(change(silent, recording=torch.ones(9000), **BACKGROUND), silent)


def test_half_of_the_clips_get_background_by_default():
    waveforms = torch.ones(1000, 50)
    after = change(waveforms, recording=torch.randn(500), background="noises")
    assert (after != waveforms).any(1).float().mean() == pytest.approx(0.5, abs=0.08)
