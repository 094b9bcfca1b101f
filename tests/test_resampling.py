"""Resampling: true to tones, and with the mel filters equal to torchaudio's to the bit."""

import itertools
import warnings

import pytest
import torch

from audiocls.audio.features.mel_scale import mel_edges, mel_filters
from audiocls.audio.resampling import resample_by_ratio

RATES = (8000, 11025, 16000, 22050, 44100, 48000)
PAIRS = list(itertools.permutations(RATES, 2))


def tone(frequency: float, sample_rate: int, num_samples: int) -> torch.Tensor:
    time = torch.arange(num_samples, dtype=torch.float64) / sample_rate
    return torch.sin(2 * torch.pi * frequency * time)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_tone_below_both_limits_is_the_same_tone_at_the_new_rate(old, new):
    resampled = resample_by_ratio(tone(1000, old, old), old, new)
    middle = slice(new // 4, 3 * new // 4)  # the ends are next to silence
    difference = (resampled - tone(1000, new, len(resampled)))[middle]
    assert difference.abs().max() < 0.01


def test_a_tone_above_the_new_limit_does_not_come_back_as_another():
    aliased = resample_by_ratio(tone(7000, 16000, 16000), 16000, 8000)[1000:-1000]
    assert aliased.abs().max() < 0.01


@pytest.mark.parametrize("shape", [(1,), (7,), (16001,), (2, 3, 100)])
def test_the_length_is_rounded_up_and_other_axes_are_kept(shape):
    resampled = resample_by_ratio(torch.ones(shape), 44100, 16000)
    assert resampled.shape == (*shape[:-1], -(-shape[-1] * 160 // 441))


def test_an_equal_rate_changes_nothing():
    waveforms = torch.randn(2, 100)
    assert torch.equal(resample_by_ratio(waveforms, 16000, 16000), waveforms)


@pytest.mark.parametrize(("old", "new"), [*PAIRS, (100, 93), (97, 100), (1, 1), (1000, 999)])
@pytest.mark.parametrize("shape", [(1,), (2, 20001), (70001,)])
def test_resampling_is_torchaudios_to_the_bit(old, new, shape):
    functional = pytest.importorskip("torchaudio.functional", exc_type=ImportError)
    waveforms = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = functional.resample(waveforms, old, new)
    assert torch.equal(resample_by_ratio(waveforms, old, new), expected)


@pytest.mark.parametrize("num_filters", [1, 13, 80, 200])
@pytest.mark.parametrize("sample_rate", [8000, 11025, 44100])
@pytest.mark.parametrize(("f_min", "f_max"), [(0.0, None), (50.5, 3000.0)])
def test_mel_filters_are_torchaudios_to_the_bit(num_filters, sample_rate, f_min, f_max):
    functional = pytest.importorskip("torchaudio.functional", exc_type=ImportError)
    top = f_max or float(sample_rate // 2)
    for num_bins in (9, 129, 201, 1025):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="At least one mel filterbank has all zero")
            given = (num_bins, f_min, top, num_filters, sample_rate)
            expected = functional.melscale_fbanks(*given)
        assert torch.equal(mel_filters(*given), expected)


def test_neighbouring_mel_filters_add_up_to_one_between_their_centres():
    filters = mel_filters(513, 0.0, 8000.0, 40, 16000)
    edges = mel_edges(40, 0.0, 8000.0)
    bins = torch.linspace(0, 8000, 513)
    between = (bins >= edges[1]) & (bins <= edges[-2])
    torch.testing.assert_close(filters.sum(dim=1)[between], torch.ones(int(between.sum())))
