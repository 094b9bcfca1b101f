"""Learned and cepstral front ends: true to physics and to the papers' formulas."""

import math
import warnings

import pytest
import torch
from helpers.audio import sine, white_noise
from pydantic import ValidationError
from torch import Tensor

from audiocls.audio.features.leaf import Leaf
from audiocls.audio.features.leaf.gabor import HALF_MAXIMUM, GaborPower, GaussianPool
from audiocls.audio.features.leaf.pcen import BLOCK, PCEN, decaying_sum, moving_average
from audiocls.audio.features.logmel import LogMel
from audiocls.audio.features.mel_scale import mel_edges
from audiocls.audio.features.mfcc import MFCC
from audiocls.audio.features.mfcc.front_end import dct
from audiocls.audio.features.sincnet import SincNet
from audiocls.audio.features.sincnet.front_end import SincFilters
from audiocls.audio.features.spectrogram import Spectrogram

RATE = 16000


def response(filters: Tensor, n_fft: int = RATE) -> Tensor:
    """Magnitude of filters (F, W) at 0, 1, … n_fft / 2 Hz."""
    return torch.fft.rfft(filters.detach(), n_fft).abs()


# --- spectrogram


@pytest.mark.parametrize("frequency", [400.0, 1000.0, 7000.0])
def test_a_tone_lights_its_bin(frequency):
    features = Spectrogram(n_fft=400).build(RATE)(sine(frequency, RATE))
    assert int(features.mean(dim=-1).argmax()) == frequency / (RATE / 400)


def test_log_power_is_twice_log_magnitude():
    waveforms = white_noise(2, 4000)
    power, magnitude = (
        Spectrogram(scale=scale, offset=1e-12).build(RATE)(waveforms)
        for scale in ("power", "magnitude")
    )
    torch.testing.assert_close(power, 2 * magnitude, atol=1e-3, rtol=0)


def test_mel_bands_of_the_spectrogram_are_the_log_mel_front_end():
    waveforms = white_noise(2, 4000)
    mel = LogMel(n_mels=20, normalise="none").build(RATE)
    power = Spectrogram(offset=1e-12).build(RATE)(waveforms).exp()
    expected = torch.log(mel.filters.T @ power + 1e-6)
    torch.testing.assert_close(mel(waveforms), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("part", [Spectrogram, MFCC])
def test_normalised_clips_have_mean_zero_and_deviation_one_and_silence_is_zero(part):
    features = part(normalise="clip").build(RATE)(
        torch.stack([white_noise(8000), torch.zeros(8000)])
    )
    assert abs(features[0].mean()) < 1e-4
    assert abs(features[0].std() - 1) < 1e-3
    assert not features[1].any()


# --- mfcc


@pytest.mark.parametrize(("n_mfcc", "n_mels"), [(13, 40), (40, 40), (1, 64), (20, 128)])
def test_mfcc_is_torchaudios(n_mfcc, n_mels):
    transforms = pytest.importorskip("torchaudio.transforms", exc_type=ImportError)

    waveforms = white_noise(2, 5001) / 4
    mel = {"n_fft": 512, "hop_length": 160, "n_mels": n_mels, "f_min": 20.0}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="At least one mel filterbank has all zero")
        reference = transforms.MFCC(RATE, n_mfcc, log_mels=True, melkwargs=mel)
    options = MFCC(n_mfcc=n_mfcc, n_mels=n_mels, n_fft=512, f_min=20.0, normalise="none")
    torch.testing.assert_close(
        options.build(RATE)(waveforms), reference(waveforms), atol=1e-3, rtol=1e-4
    )


def test_all_coefficients_give_the_log_mel_bands_back():
    waveforms = white_noise(2, 4000)
    mfcc = MFCC(n_mfcc=32, n_mels=32, normalise="none").build(RATE)(waveforms)
    log_mel = LogMel(n_mels=32, normalise="none").build(RATE)(waveforms)
    torch.testing.assert_close(dct(32).T @ mfcc, log_mel, atol=1e-4, rtol=1e-4)


def test_the_cosine_transform_is_a_rotation():
    torch.testing.assert_close(dct(64) @ dct(64).T, torch.eye(64), atol=1e-6, rtol=0)


def test_loudness_moves_the_first_coefficient_only():
    build = MFCC(normalise="none", offset=1e-12).build(RATE)
    waveforms = white_noise(1, 4000)
    moved = (build(10 * waveforms) - build(waveforms)).squeeze(0)
    expected = torch.full_like(moved[0], 2 * math.log(10) * math.sqrt(64))
    torch.testing.assert_close(moved[0], expected, atol=1e-2, rtol=0)
    assert moved[1:].abs().max() < 1e-2


# --- where learned filters start


def test_edges_are_even_on_the_mel_scale():
    edges = mel_edges(40, 60.0, 7800.0)
    mel = 2595 * torch.log10(1 + edges / 700)
    steps = mel.diff()
    assert edges[0] == pytest.approx(60)
    assert edges[-1] == pytest.approx(7800)
    torch.testing.assert_close(steps, steps.mean().expand(41))


# --- leaf


@pytest.mark.parametrize("index", [0, 5, 20, 39])
def test_a_filter_responds_most_to_a_tone_at_its_mel_centre(index):
    filters = GaborPower(40, 401, RATE, 60.0, 7800.0)
    centre = float(mel_edges(40, 60.0, 7800.0)[index + 1])
    power = filters(sine(centre, RATE)).detach()[0, :, 1000:-1000].mean(dim=-1)
    assert int(power.argmax()) == index
    if index > 5:  # the lowest filters are cut off by the window
        assert float(power[index]) == pytest.approx(0.25, rel=0.01)


def test_a_gabor_filter_is_half_its_maximum_where_the_root_of_its_mel_band_is():
    edges = mel_edges(40, 60.0, 7800.0)
    gabor = GaborPower(40, 401, RATE, 60.0, 7800.0)
    real, imaginary = gabor.filters().chunk(2)
    spectrum = torch.fft.fft(torch.complex(real, imaginary).detach(), RATE).abs()
    for index in (10, 20, 39):
        half = 0.75 * (edges[index + 2] - edges[index]) / 2
        for frequency in (edges[index + 1] - half, edges[index + 1] + half):
            ratio = spectrum[index, round(float(frequency))] / spectrum[index].max()
            assert float(ratio) == pytest.approx(0.5, abs=0.02)


def test_a_leaf_has_seven_numbers_a_filter():
    assert sum(p.numel() for p in Leaf().build(RATE).parameters()) == 7 * 40


def test_gabor_filters_stay_in_the_band_and_between_the_narrowest_and_the_widest():
    gabor = GaborPower(4, 41, RATE, 60.0, 7800.0)
    with torch.no_grad():
        gabor.centre.copy_(torch.tensor([-1.0, 9.0, 1.0, 1.0]))
        gabor.width.copy_(torch.tensor([5.0, 5.0, 0.0, 1e6]))
    wild = gabor.filters()
    with torch.no_grad():
        gabor.centre.copy_(torch.tensor([0.0, math.pi, 1.0, 1.0]))
        gabor.width.copy_(torch.tensor([5.0, 5.0, 4 * HALF_MAXIMUM, 41 * HALF_MAXIMUM]))
    assert torch.equal(wild, gabor.filters())


def test_no_tail_of_a_filter_is_a_denormal_number():
    """A CPU multiplies them at half its speed or less."""
    filters = GaborPower(40, 401, RATE, 60.0, 7800.0).filters().detach().abs()
    assert float(filters[filters > 0].min()) > torch.finfo(torch.float32).tiny


@pytest.mark.parametrize("width", [-1.0, 0.1, 0.4, 7.0])
def test_pooling_keeps_constant_power_whatever_the_width(width):
    pool = GaussianPool(2, 401, 160)
    torch.nn.init.constant_(pool.width, width)
    inner = pool(torch.full((1, 2, 4000), 3.0))[..., 2:-2]
    torch.testing.assert_close(inner, torch.full_like(inner, 3.0))


def test_a_wider_pool_smooths_more():
    pool, power = GaussianPool(2, 401, 160), white_noise(1, 1, 16000).square().expand(1, 2, -1)
    with torch.no_grad():
        pool.width.copy_(torch.tensor([0.05, 0.5]))
    narrow, wide = pool(power)[0, :, 2:-2].std(dim=-1)
    assert wide < narrow


# --- pcen


def naive(x: Tensor, s: Tensor) -> Tensor:
    frames = [x[..., 0]]
    for frame in x.unbind(-1)[1:]:
        frames.append((1 - s) * frames[-1] + s * frame)
    return torch.stack(frames, dim=-1)


@pytest.mark.parametrize("length", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 1000, BLOCK**2 + 5])
def test_smoothing_by_blocks_is_smoothing_frame_by_frame(length):
    x = white_noise(2, 5, length).square()
    s = torch.tensor([0.0, 0.001, 0.04, 0.7, 1.0])
    torch.testing.assert_close(moving_average(x, s), naive(x, s), atol=1e-5, rtol=1e-5)


def test_so_is_its_gradient():
    x = white_noise(2, 4, 200).double()
    gradients = []
    for way in (moving_average, naive):
        s = torch.tensor([0.001, 0.04, 0.7, 0.99], dtype=torch.float64, requires_grad=True)
        gradients.append(torch.autograd.grad(way(x, s).square().sum(), s)[0])
    torch.testing.assert_close(*gradients)


def test_a_decay_of_nought_or_one_has_finite_gradients():
    decay = torch.tensor([0.0, 1.0], requires_grad=True)
    decaying_sum(white_noise(1, 2, 300), decay).sum().backward()
    assert decay.grad.isfinite().all()


def test_pcen_is_the_papers_formula():
    power, pcen = white_noise(2, 3, 50).square(), PCEN(3)
    loudness = naive(power, torch.full((3,), 0.04))
    expected = (power / (1e-6 + loudness) ** 0.96 + 2) ** 0.5 - 2**0.5
    torch.testing.assert_close(pcen(power), expected)


def test_pcen_cancels_loudness_where_alpha_is_one():
    pcen, power = PCEN(3, alpha=1.0), 1 + white_noise(1, 3, 50).square()
    torch.testing.assert_close(pcen(100 * power), pcen(power), atol=1e-5, rtol=1e-4)


def test_pcen_keeps_its_constants_where_the_formula_is_defined():
    wild = PCEN(2, alpha=3.0, smooth=-1.0, delta=-5.0, root=0.1)
    tame = PCEN(2, alpha=1.0, smooth=0.0, delta=1e-3, root=1.0)
    power = white_noise(1, 2, 30).square()
    assert torch.equal(wild(power), tame(power))


# --- sincnet


@pytest.mark.parametrize("index", [5, 10, 15])
def test_a_sinc_filter_passes_its_band_and_stops_the_others(index):
    """Bands wider than the transition of a 251-sample Hamming window, 3.3 / 251 of the rate."""
    edges = mel_edges(20, 60.0, 7800.0)
    gain = response(SincFilters(20, 251, RATE, 60.0, 7800.0, 50.0).filters())[index]
    low, high = round(float(edges[index])), round(float(edges[index + 2]))
    assert float(gain[low + 110 : high - 110].min()) > 0.98
    assert float(torch.cat([gain[: low - 110], gain[high + 110 :]]).max()) < 0.01
    assert float(gain[low]) == pytest.approx(0.5, abs=0.02)


def test_cutoffs_stay_apart_and_below_half_the_sample_rate():
    filters = SincFilters(4, 251, RATE, 60.0, 7800.0, 50.0)
    with torch.no_grad():
        filters.low.copy_(torch.tensor([-9.0, 9.0, 1.0, 3.0]))
        filters.band.copy_(torch.tensor([0.1, 0.1, -7.0, 9.0]))
    low, high = (cutoff.detach() * RATE / (2 * math.pi) for cutoff in filters.cutoffs())
    assert float(low.min()) > 49.9
    assert float(high.max()) < RATE / 2 + 0.1
    assert float((high - low).min()) > 49.9


def test_a_full_scale_tone_in_the_band_has_the_log_power_of_a_half():
    options = SincNet(num_filters=10, offset=1e-9)
    features = options.build(RATE)(sine(float(mel_edges(10, 60.0, 8000.0)[6]), RATE))
    band = features[0, 5, 5:-5]
    torch.testing.assert_close(band, torch.full_like(band, math.log(0.5)), atol=0.02, rtol=0)


@pytest.mark.parametrize("options", [Leaf(), SincNet()], ids=lambda options: options.name)
def test_learned_front_ends_ignore_autocast(options):
    front_end, waveforms = options.build(RATE), white_noise(1, 4000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = front_end(waveforms)
    assert torch.equal(mixed, front_end(waveforms))


@pytest.mark.parametrize("options", [Leaf(), SincNet()], ids=lambda options: options.name)
def test_one_step_at_a_usual_rate_moves_the_cutoffs_by_hertz(options):
    front_end = options.build(RATE)
    before = front_end.filters.filters().detach().clone()
    optimizer = torch.optim.Adam(front_end.parameters(), lr=1e-3)
    front_end(white_noise(2, 4000)).square().mean().backward()
    optimizer.step()
    moved = (response(front_end.filters.filters()) - response(before)).abs().amax()
    assert 1e-4 < float(moved) < 0.5


# --- refusals


@pytest.mark.parametrize(
    ("part", "wrong", "named"),
    [
        (MFCC, {"n_mfcc": 65}, "n_mfcc: got 65, allowed: up to n_mels, 64"),
        (MFCC, {"n_mels": 300, "window": 500}, "n_mels: got 300"),
        (MFCC, {"n_mels": 300, "window": 500}, "window: got 500"),
        (Spectrogram, {"window": 401}, "window: got 401"),
        (Leaf, {"window": 400}, "window: got 400, allowed: odd"),
        (SincNet, {"kernel": 250, "window": 400}, "kernel: got 250"),
        (SincNet, {"kernel": 250, "window": 400}, "window: got 400"),
        (SincNet, {"f_min": 500.0, "f_max": 100.0}, "f_max: got 100"),
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_refused_with_every_fault(part, wrong, named):
    with pytest.raises(ValidationError, match=named):
        part(**wrong)
