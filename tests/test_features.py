"""Front ends: equal to torchaudio, true to physics, honest about shapes."""

import math
import subprocess
import sys
import warnings

import pytest
import torch
from helpers.audio import sine
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from audiocls.audio.features import Encodec, Features, LogMel, Raw
from audiocls.audio.features.logmel.front_end import LogMelFilterBanks
from audiocls.audio.features.normalise import NormaliseWaveform, Standardise
from audiocls.errors import ConfigError

FRONT_ENDS = [
    Raw(),
    Raw(normalise="abs_max"),
    Raw(normalise="standard"),
    Raw(normalise="batch_norm"),
    LogMel(),
    LogMel(n_mels=20, n_fft=512, hop=100, normalise="clip"),
    LogMel(n_fft=512, compression="clamp", wave_normalise="abs_max", normalise="none"),
    LogMel(n_mels=30, n_fft=401, hop=160, window=300, f_min=60.0, f_max=7800.0),
]


def torchaudio_logmel(waveforms: Tensor, **options: object) -> Tensor:
    transforms = pytest.importorskip("torchaudio.transforms", exc_type=ImportError)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="At least one mel filterbank has all zero")
        transform = transforms.MelSpectrogram(**options)
    return torch.log(transform(waveforms) + 1e-6)


def htk_mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)


@pytest.mark.parametrize(
    "shape",
    [(16000,), (201,), (401,), (2, 12345), (3, 2, 997), (1, 1, 1, 16001), (16, 4000)],
    ids=str,
)
@pytest.mark.parametrize("amplitude", [0.0, 1e-4, 0.1, 1.0, 32768.0])
def test_defaults_equal_torchaudio_whatever_the_audio(
    shape: tuple[int, ...], amplitude: float
) -> None:
    waveforms = amplitude * torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))
    expected = torchaudio_logmel(waveforms, n_fft=400, sample_rate=16000, hop_length=160, n_mels=80)
    actual = LogMelFilterBanks()(waveforms)
    assert actual.shape == expected.shape
    assert torch.allclose(actual, expected)


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 44100])
@pytest.mark.parametrize("n_mels", [1, 20, 40, 64, 128])
@pytest.mark.parametrize(("n_fft", "window", "hop"), [(400, None, 160), (512, 400, 99)])
def test_options_mean_what_torchaudio_means_by_them(
    sample_rate: int, n_mels: int, n_fft: int, window: int | None, hop: int
) -> None:
    waveforms = torch.rand(2, 5001, generator=torch.Generator().manual_seed(n_mels)) * 2 - 1
    expected = torchaudio_logmel(
        waveforms,
        n_fft=n_fft,
        win_length=window,
        hop_length=hop,
        n_mels=n_mels,
        sample_rate=sample_rate,
        f_min=30.0,
    )
    options = LogMel(n_mels=n_mels, n_fft=n_fft, window=window, hop=hop, f_min=30.0)
    assert torch.allclose(options.build(sample_rate)(waveforms), expected)


@pytest.mark.parametrize("frequency", [100.0, 440.0, 1000.0, 2500.0, 6000.0])
def test_a_tone_lights_the_band_that_contains_it(frequency: float) -> None:
    n_mels = 40
    features = LogMel(n_mels=n_mels, n_fft=1024).build(16000)(sine(frequency, 16000))
    loudest = int(features.mean(dim=-1).argmax())
    width = htk_mel(8000.0) / (n_mels + 1)
    assert abs(htk_mel(frequency) - (loudest + 1) * width) < width


def test_ten_times_the_amplitude_is_two_ln_ten_more_log_power() -> None:
    wave = sine(1000.0, 16000)
    layer = LogMelFilterBanks(offset=1e-12)
    loud, quiet = layer(wave), layer(wave / 10)
    audible = quiet > math.log(1e-4)
    difference = (loud - quiet)[audible]
    expected = torch.full_like(difference, 2 * math.log(10))
    torch.testing.assert_close(difference, expected, atol=1e-3, rtol=0)


def test_silence_is_the_logarithm_of_the_offset() -> None:
    features = LogMelFilterBanks()(torch.zeros(1, 4000))
    assert torch.equal(features, torch.full_like(features, math.log(1e-6)))


@pytest.mark.parametrize("options", FRONT_ENDS, ids=repr)
@pytest.mark.parametrize("num_samples", [257, 258, 400, 401, 1599, 1600, 1601, 16000, 22049])
def test_shape_foretells_the_output(options: Raw | LogMel, num_samples: int) -> None:
    features = options.build(16000)(torch.rand(2, num_samples) - 0.5)
    assert features.shape == (2, *options.shape(num_samples, 16000))
    assert features.dtype == torch.float32


@pytest.mark.parametrize("options", FRONT_ENDS, ids=repr)
def test_silence_and_one_loud_clip_never_give_nan(options: Raw | LogMel) -> None:
    waveforms = torch.zeros(2, 4000)
    waveforms[1] = 32768 * torch.rand(4000)
    assert options.build(16000)(waveforms).isfinite().all()


@pytest.mark.parametrize("options", FRONT_ENDS, ids=repr)
def test_a_clip_does_not_depend_on_its_batch(options: Raw | LogMel) -> None:
    waveforms = torch.rand(5, 4000, generator=torch.Generator().manual_seed(0)) - 0.5
    front_end = options.build(16000).eval()
    alone = torch.cat([front_end(wave[None]) for wave in waveforms])
    torch.testing.assert_close(front_end(waveforms), alone, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("how", ["none", "abs_max", "standard"])
def test_silence_and_a_constant_are_normalised_without_nan(how: str) -> None:
    normalise = NormaliseWaveform(how, 0.95)
    assert torch.equal(normalise(torch.zeros(2, 100)), torch.zeros(2, 100))
    constant = normalise(torch.full((2, 100), 0.5))
    expected = {"none": 0.5, "abs_max": 0.95, "standard": 0.0}[how]
    torch.testing.assert_close(constant, torch.full((2, 100), expected))


def test_wave_normalisations_reach_their_target() -> None:
    waveforms = 0.01 * torch.randn(3, 1000) + 0.005
    assert NormaliseWaveform("none")(waveforms) is waveforms
    for peak in (0.95, 1.0, 3.0):
        peaks = NormaliseWaveform("abs_max", peak)(waveforms).abs().amax(dim=-1)
        torch.testing.assert_close(peaks, torch.full((3,), peak))
    standard = NormaliseWaveform("standard")(waveforms)
    torch.testing.assert_close(standard.mean(dim=-1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard.std(dim=-1, correction=0), torch.ones(3))


@pytest.mark.parametrize("how", ["abs_max", "standard"])
def test_normalised_waves_forget_their_gain_but_not_their_neighbours(how: str) -> None:
    waveforms = torch.randn(3, 2, 500)
    gains = torch.tensor([0.1, 1.0, 30.0]).reshape(3, 1, 1)
    normalise = NormaliseWaveform(how)
    torch.testing.assert_close(normalise(gains * waveforms), normalise(waveforms))
    torch.testing.assert_close(normalise(waveforms)[1, 0], normalise(waveforms[1, 0]))
    torch.testing.assert_close(normalise(normalise(waveforms)), normalise(waveforms))


@pytest.mark.parametrize("how", ["none", "abs_max", "standard"])
def test_waves_are_normalised_before_the_front_end_and_not_by_it(how: str) -> None:
    waveforms = 0.01 * torch.randn(3, 1000) + 0.005
    for options in (
        Raw.model_validate({"normalise": how}),
        LogMel.model_validate({"wave_normalise": how}),
    ):
        assert options.wave_normalise == how
        assert torch.equal(options.wave_normaliser()(waveforms), NormaliseWaveform(how)(waveforms))
        plain = type(options)().build(16000)
        assert torch.equal(options.fixed_front_end(16000)(waveforms), plain(waveforms))


def test_a_peak_is_for_abs_max_only() -> None:
    wave = torch.linspace(-0.5, 0.1, 50)[None]
    assert Raw(normalise="abs_max", peak=0.95).wave_normaliser()(wave).min() == -0.95
    for normalise in ("none", "standard", "batch_norm"):
        with pytest.raises(ValidationError, match=r"peak: got 0\.95, but normalise"):
            Raw.model_validate({"normalise": normalise, "peak": 0.95})


def test_batch_norm_learns_one_scale_and_offset_for_all_clips() -> None:
    options = Raw(normalise="batch_norm")
    assert options.wave_normalise == "none"
    front_end = options.build(16000).train()
    assert sum(p.numel() for p in front_end.parameters()) == 2
    waveforms = torch.tensor([[0.1], [5.0]]) * torch.randn(2, 1000) + 3
    features = front_end(waveforms)
    torch.testing.assert_close(features.mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(features.std(correction=0), torch.tensor(1.0), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        features[1].std() / features[0].std(), waveforms[1].std() / waveforms[0].std()
    )


def test_only_the_batch_norm_is_learned() -> None:
    for options in FRONT_ENDS:
        num_parameters = sum(p.numel() for p in options.build(16000).parameters())
        assert options.is_learned == (num_parameters > 0)
        assert options.is_learned == (options.normalise == "batch_norm")


def test_clamping_keeps_what_is_loud_exact_and_adding_shifts_it() -> None:
    power = torch.rand(2, 16000) - 0.5
    unbent = LogMel(offset=1e-30, normalise="none").build(16000)(power)
    for offset in (1e-6, 1e-1, 1e1):
        clamped = LogMel(offset=offset, compression="clamp").build(16000)(power)
        torch.testing.assert_close(clamped, unbent.clamp(min=math.log(offset)))
        added = LogMel(offset=offset).build(16000)(power)
        torch.testing.assert_close(added, (unbent.exp() + offset).log())
        assert (added - clamped).max() <= math.log(2) + 1e-5


def test_clip_normalisation_has_mean_zero_and_deviation_one_and_silence_is_zero() -> None:
    front_end = LogMel(normalise="clip").build(16000)
    features = front_end(torch.stack([torch.randn(8000), torch.zeros(8000)]))
    assert abs(features[0].mean()) < 1e-4
    assert abs(features[0].std() - 1) < 1e-3
    assert not features[1].any()


def test_standardise_is_the_identity_until_fitted_and_then_per_band() -> None:
    features = torch.randn(20, 3, 50) * torch.tensor([[1.0], [5.0], [0.1]]) + 7
    assert torch.equal(Standardise(3)(features), features)
    fitted = Standardise.fit([features])
    assert fitted.mean.shape == fitted.std.shape == (3, 1)
    out = fitted(features)
    torch.testing.assert_close(out.mean(dim=(0, 2)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(out.std(dim=(0, 2), correction=0), torch.ones(3))


def test_a_band_constant_in_training_does_not_explode_in_a_test_clip() -> None:
    fitted = Standardise.fit([torch.full((4, 2, 10), math.log(1e-6))])
    assert not fitted(torch.full((1, 2, 10), math.log(1e-6))).any()
    assert fitted(torch.zeros(1, 2, 10)).abs().max() < 20


def test_statistics_travel_in_the_state_dict() -> None:
    fitted = Standardise.fit([torch.randn(4, 2, 10)])
    other = Standardise(2)
    other.load_state_dict(fitted.state_dict())
    assert torch.equal(other.mean, fitted.mean)
    assert torch.equal(other.std, fitted.std)


def test_only_train_normalisation_and_untrained_encodec_use_training_statistics() -> None:
    assert LogMel().uses_training_statistics
    assert not LogMel(normalise="clip").uses_training_statistics
    assert not LogMel(normalise="none").uses_training_statistics
    assert not Raw(normalise="standard").uses_training_statistics
    assert not Encodec().uses_training_statistics
    assert Encodec(weights="untrained").uses_training_statistics


def test_the_front_end_ignores_autocast() -> None:
    waveforms = torch.randn(2, 4000)
    front_end = LogMel().build(16000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = front_end(waveforms)
    assert torch.equal(mixed, front_end(waveforms))


def test_a_clip_too_short_to_reflect_is_refused_with_the_length_allowed() -> None:
    options = LogMel()
    with pytest.raises(ConfigError, match=r"200 samples, allowed: 201 or more"):
        options.shape(200, 16000)
    with pytest.raises(ConfigError, match=r"200 samples, allowed: 201 or more"):
        options.build(16000)(torch.zeros(1, 200))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_mels": 202},
        {"window": 401},
        {"f_min": 4000.0, "f_max": 300.0},
        {"hop": 0},
        {"offset": 0.0},
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(reversed(wrong))):
        LogMel.model_validate(wrong)


def test_bands_above_half_the_sample_rate_are_refused_at_that_rate_only() -> None:
    options = LogMel(f_max=7800.0)
    options.build(16000)
    with pytest.raises(ConfigError, match=r"up to 4000\.0 Hz"):
        options.build(8000)


def test_all_faults_at_a_rate_are_told_at_once_without_building() -> None:
    options = LogMel(f_min=5000.0, f_max=7800.0)
    assert options.check(16000) == Raw().check(8000) == []
    assert [fault.split(":")[0] for fault in options.check(8000)] == ["f_max", "f_min"]


def test_the_name_picks_the_front_end() -> None:
    registry: TypeAdapter[Raw | LogMel] = TypeAdapter(Features)
    assert registry.validate_python({"name": "raw"}) == Raw()
    assert registry.validate_python({"name": "logmel", "n_mels": "40"}) == LogMel(n_mels=40)


def test_reading_options_does_not_import_torch() -> None:
    code = (
        "import sys, audiocls.audio.features as f;"
        "f.LogMel().shape(16000, 16000); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_statistics_do_not_depend_on_the_portions_they_come_in() -> None:
    features = 5 + 3 * torch.randn(50, 4, 7)
    whole = Standardise.fit([features])
    parts = Standardise.fit(features.split([1, 30, 19]))
    torch.testing.assert_close(whole.mean, parts.mean)
    torch.testing.assert_close(whole.std, parts.std)
