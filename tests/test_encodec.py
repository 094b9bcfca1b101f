"""EnCodec as a front end: what the package computes, from weights that are what they say."""

import copy
import sys
import urllib.error
import warnings

import numpy as np
import pytest
import torch
from helpers.audio import white_noise
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from audiocls import library
from audiocls.audio import feature_cache
from audiocls.audio.feature_cache import Extraction, cache_key, open_codes, open_features
from audiocls.audio.features import encodec
from audiocls.audio.features.encodec import (
    BANDWIDTHS,
    HOP,
    SAMPLE_RATE,
    UNTRAINED_VERSION,
    Encodec,
)
from audiocls.audio.features.encodec import untrained as seeded
from audiocls.audio.features.encodec.front_end import EncodecFrontEnd, dequantise, quantise
from audiocls.audio.features.encodec.package import CHECKPOINT, random_model
from audiocls.audio.pack import Pack
from audiocls.config import resolve
from audiocls.errors import ConfigError, DataError
from audiocls.execution.content import identity_of

pytest.importorskip("encodec")


def sound(num_clips: int = 2, num_samples: int = 12000, seed: int = 1) -> Tensor:
    return seeded.synthetic_clips(seed)[:num_clips, :num_samples]


def pack_of(waveforms: Tensor) -> Pack:
    samples = (waveforms.clamp(-1, 1) * 32767).short().numpy()
    return Pack(samples.reshape(-1), np.arange(len(waveforms) + 1) * waveforms.shape[1])


@pytest.fixture(scope="module")
def reference():
    """The package's own model with the untrained weights, and two codebooks."""
    return seeded.untrained_model(2).eval()


@pytest.fixture(scope="module")
def front_end():
    return Encodec(weights="untrained").build(SAMPLE_RATE)


def file_of(model, folder, name: str = "weights.th"):
    torch.save(model.state_dict(), folder / name)
    return folder / name


# --- what is computed


@pytest.mark.parametrize("num_samples", [1, 319, 320, 321, 641, 7999, 24000])
def test_frames_are_those_foretold_at_any_length(front_end, num_samples):
    waveforms = 0.3 * white_noise(2, num_samples)
    width, frames = Encodec().shape(num_samples, SAMPLE_RATE)
    assert front_end(waveforms).shape == (2, width, frames)
    assert front_end.codes(waveforms).shape == (2, 2, frames)


def test_a_second_is_75_frames():
    assert Encodec().shape(SAMPLE_RATE, SAMPLE_RATE) == (128, 75)


@torch.no_grad()
def test_embeddings_are_the_packages(front_end, reference):
    waveforms = sound()
    embeddings = reference.encoder(waveforms[:, None])
    torch.testing.assert_close(front_end(waveforms), embeddings, atol=1e-5, rtol=1e-4)


def test_codes_are_those_of_the_codec_itself(front_end, reference):
    """All but near ties, which the package decides by rounding, otherwise in another batch."""
    waveforms = sound(8, SAMPLE_RATE)
    reference.set_target_bandwidth(1.5)
    with torch.no_grad():
        [(codes, _)] = reference.encode(waveforms[:, None])
    same = front_end.codes(waveforms) == codes
    assert float(same.float().mean()) > 0.99


def test_codes_as_features_are_what_the_codec_would_decode(reference):
    waveforms = sound()
    front_end = Encodec(weights="untrained", output="codes").build(SAMPLE_RATE)
    decoded = reference.quantizer.decode(front_end.codes(waveforms).transpose(0, 1))
    torch.testing.assert_close(front_end(waveforms), decoded)


@pytest.mark.parametrize(
    ("bandwidth", "num_codebooks"), [*zip(BANDWIDTHS, (2, 4, 8, 16, 32), strict=True)]
)
def test_a_codebook_is_10_bits_at_75_frames_a_second(bandwidth, num_codebooks):
    assert Encodec(bandwidth=bandwidth).num_codebooks == num_codebooks
    assert num_codebooks * 10 * 75 == bandwidth * 1000


def test_every_codebook_brings_the_sum_nearer():
    generator = torch.Generator().manual_seed(0)
    books = torch.stack([torch.randn(64, 8, generator=generator) / 2**i for i in range(6)])
    embeddings = torch.randn(3, 8, 50, generator=generator)
    errors = [
        float((dequantise(quantise(embeddings, books[:n]), books[:n]) - embeddings).square().mean())
        for n in range(1, 7)
    ]
    assert errors == sorted(errors, reverse=True)


def test_an_entry_of_a_codebook_is_its_own_code():
    book = torch.randn(1, 32, 8, generator=torch.Generator().manual_seed(0))
    assert quantise(book.transpose(1, 2), book).flatten().tolist() == list(range(32))


def test_the_past_does_not_hear_the_future(front_end):
    """The 24 kHz model is causal: a language model on its codes has no peek ahead."""
    waveforms = 0.3 * white_noise(1, 40 * HOP)
    changed = waveforms.clone()
    changed[:, 20 * HOP :] = 0
    before, after = front_end(waveforms), front_end(changed)
    torch.testing.assert_close(before[..., :20], after[..., :20], atol=1e-5, rtol=1e-4)
    assert (before[..., 20:] - after[..., 20:]).abs().max() > 1e-3


# --- untrained weights


def test_untrained_weights_are_the_same_in_any_state_of_the_generator_and_leave_it_alone(
    monkeypatch,
):
    monkeypatch.setattr(seeded, "NUM_CLIPS", 2)
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        drawn.append((random_model().state_dict(), seeded._frames.__wrapped__()))
        assert torch.equal(before, torch.get_rng_state())
    (one, one_frames), (other, other_frames) = drawn
    assert torch.equal(one_frames, other_frames)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_building_leaves_the_generator_alone(reference):
    before = torch.get_rng_state()
    Encodec(weights="untrained").build(SAMPLE_RATE)
    assert torch.equal(before, torch.get_rng_state())


def test_untrained_codes_are_real(front_end):
    """All zero codebooks would give the code 0 everywhere."""
    codes = front_end.codes(sound(8, SAMPLE_RATE))
    assert all(len(book.unique()) > 50 for book in codes.unbind(1))


def test_a_lower_bandwidth_has_the_first_codes_of_a_higher_one(front_end):
    more = Encodec(weights="untrained", bandwidth=3.0).build(SAMPLE_RATE)
    assert torch.equal(front_end.codes(sound()), more.codes(sound())[:, :2])


@torch.no_grad()
def test_more_codebooks_come_nearer_to_the_embeddings(front_end):
    """On sounds that they were not fitted to."""
    more = Encodec(weights="untrained", bandwidth=3.0).build(SAMPLE_RATE).codebooks
    embeddings = front_end(sound(8))
    errors = [
        float((dequantise(quantise(embeddings, books), books) - embeddings).square().mean())
        for books in (more[:1], more[:2], more)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_a_copy_is_as_good(front_end):
    assert torch.equal(copy.deepcopy(front_end)(sound()), front_end(sound()))


def test_the_word_untrained_is_in_the_options():
    assert '"untrained"' in Encodec(weights="untrained").model_dump_json()


@torch.no_grad()
def test_the_untrained_encoder_is_no_linear_filter(front_end):
    """A linear one has f(x) + f(-x) = 2 f(0): over time it averages to the same for every sound."""
    waveforms = sound(4)
    there, back, silence = map(front_end, (waveforms, -waveforms, 0 * waveforms))
    even, odd = there + back - 2 * silence, there - back
    assert even.norm() > 0.3 * odd.norm()


# --- weights from a file


@pytest.mark.parametrize("suffix", ["th", "safetensors"])
def test_a_file_of_weights_is_what_was_saved(front_end, reference, tmp_path, suffix):
    file = tmp_path / f"weights.{suffix}"
    if suffix == "th":
        torch.save(reference.state_dict(), file)
    else:
        save_file(
            {name: value.contiguous() for name, value in reference.state_dict().items()}, file
        )
    waveforms = sound()
    from_file = Encodec(weights=str(file)).build(SAMPLE_RATE)
    assert torch.equal(from_file(waveforms), front_end(waveforms))
    assert torch.equal(from_file.codes(waveforms), front_end.codes(waveforms))


def test_a_missing_file_is_named_with_what_is_allowed(tmp_path):
    options = Encodec(weights=str(tmp_path / "no.th"))
    with pytest.raises(DataError, match=r"no\.th; allowed for features\.weights: pretrained"):
        options.build(SAMPLE_RATE)
    with pytest.raises(DataError, match=r"no\.th cannot be read .*allowed"):
        options.weights_digest()


@pytest.mark.parametrize("name", ["weights.th", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all, but a text of some length"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: no state_dict can be read"):
        Encodec(weights=str(tmp_path / name)).build(SAMPLE_RATE)


def test_weights_of_another_model_are_refused(tmp_path):
    file = file_of(torch.nn.Linear(2, 2), tmp_path)
    with pytest.raises(DataError, match="not the weights of EnCodec's 24 kHz model"):
        Encodec(weights=str(file)).build(SAMPLE_RATE)


def test_codebooks_that_were_never_initialised_are_refused(tmp_path):
    file = file_of(random_model(), tmp_path)
    with pytest.raises(DataError, match="never initialised"):
        Encodec(weights=str(file)).build(SAMPLE_RATE)


def test_more_codebooks_than_were_fitted_are_refused(reference, tmp_path):
    file = file_of(reference, tmp_path)
    with pytest.raises(DataError, match="never initialised"):
        Encodec(weights=str(file), bandwidth=3.0).build(SAMPLE_RATE)


# --- pretrained weights, and no network


def test_without_a_network_the_message_says_the_file_and_where_it_goes(monkeypatch):
    def unreachable(*args, **options):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(DataError) as caught:
        Encodec().build(SAMPLE_RATE)
    for told in (CHECKPOINT, "no route to host", torch.hub.get_dir(), "features.weights=FILE"):
        assert told in str(caught.value)


def test_pretrained_weights_are_the_file_that_the_package_asks_for(
    monkeypatch, front_end, reference
):
    from encodec.model import EncodecModel

    with warnings.catch_warnings(action="ignore"):
        decoder = EncodecModel.encodec_model_24khz(pretrained=False).decoder
    state = {f"decoder.{name}": value for name, value in decoder.state_dict().items()}
    asked = []

    def fetched(url, **options):
        asked.append((url, options["check_hash"]))
        return state | reference.state_dict()

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetched)
    waveforms = sound()
    assert torch.equal(Encodec().build(SAMPLE_RATE)(waveforms), front_end(waveforms))
    [(url, is_checked)] = asked
    assert url.endswith(CHECKPOINT)
    assert is_checked


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "encodec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "encodec", None)
    with pytest.raises(ConfigError, match=r"pip install 'audiocls\[encodec\]'"):
        Encodec(weights="untrained").build(SAMPLE_RATE)


# --- options


@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
def test_another_sample_rate_is_refused_with_the_override_that_helps(sample_rate):
    [fault] = Encodec().check(sample_rate)
    assert f"got {sample_rate} Hz" in fault
    assert "--set data.sample_rate=24000" in fault
    with pytest.raises(ConfigError, match=r"--set data\.sample_rate=24000"):
        Encodec().build(sample_rate)


def test_a_bandwidth_that_is_not_offered_is_refused_with_those_that_are():
    with pytest.raises(ValidationError, match=r"got 2 kbps, allowed: 1\.5, 3, 6, 12, 24"):
        Encodec(bandwidth=2)


# --- caches


def test_cached_codes_are_those_of_the_middle_of_each_clip(tmp_path):
    waveforms = sound(3, 5000)
    features = Encodec(weights="untrained", output="codes")
    codes = open_codes(pack_of(waveforms), "pack", features, 4000, tmp_path)
    front_end = features.build(SAMPLE_RATE)
    middle = torch.from_numpy(pack_of(waveforms).centred(np.arange(3), 4000))
    assert codes.dtype == np.int16
    assert codes.shape == (3, features.num_codebooks, features.shape(4000, SAMPLE_RATE)[1])
    assert np.array_equal(codes, front_end.codes(middle).numpy())
    cached = open_features(pack_of(waveforms), "pack", features, SAMPLE_RATE, 4000, tmp_path)
    entries = dequantise(torch.from_numpy(codes.astype(np.int64)), front_end.codebooks)
    torch.testing.assert_close(torch.from_numpy(cached.copy()), entries)


def test_codes_are_made_once_and_shared_by_both_outputs(tmp_path):
    pack = pack_of(sound(2, 2000))
    for output in ("codes", "embeddings", "codes"):
        open_codes(pack, "p", Encodec(weights="untrained", output=output), 2000, tmp_path)
    assert len(list(tmp_path.glob("codes-*"))) == 1


def test_the_encoder_runs_once_a_clip_whatever_is_asked_for_first(tmp_path, monkeypatch):
    seen: list[int] = []
    forward = EncodecFrontEnd.forward

    def counted(self, waveforms):
        seen.append(len(waveforms))
        return forward(self, waveforms)

    monkeypatch.setattr(EncodecFrontEnd, "forward", counted)
    for name, order in (("a", ("embeddings", "codes")), ("b", ("codes", "embeddings"))):
        for output in order:
            features = Encodec(weights="untrained", output=output)
            source = pack_of(sound(2, 2000)), name, features
            open_features(*source, SAMPLE_RATE, 2000, tmp_path)
            open_codes(*source, 2000, tmp_path)
    assert seen == [2, 2]


def test_embeddings_are_shared_by_all_bandwidths(tmp_path):
    for bandwidth in BANDWIDTHS[:2]:
        features = Encodec(weights="untrained", bandwidth=bandwidth)
        open_features(pack_of(sound(1, 700)), "p", features, SAMPLE_RATE, 700, tmp_path)
    assert len(list(tmp_path.glob("features-*"))) == 1


def test_a_gpu_has_caches_of_its_own():
    """It rounds otherwise, so that a trial's numbers would depend on who came first."""
    keys = {cache_key("p", {}, 700, torch.device(name)) for name in ("cpu", "cuda:0", "cuda:1")}
    assert len(keys) == 2


def test_extraction_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_cache, "MOST_CLIPS", 2)
    told: list[tuple[int, int]] = []
    where = Extraction(on_progress=lambda *clips: told.append(clips))
    source = pack_of(sound(3, 700)), "p", Encodec(weights="untrained")
    open_codes(*source, 700, tmp_path, where)
    assert told == [(2, 3), (3, 3)]


def test_the_waves_level_is_set_before_they_are_encoded(tmp_path):
    waveforms = sound(2, 2000)
    loud, quiet = (
        open_codes(
            pack_of(gain * waveforms),
            name,
            Encodec(weights="untrained", wave_normalise="abs_max"),
            2000,
            tmp_path,
        )
        for name, gain in (("loud", 0.9), ("quiet", 0.3))
    )
    assert float(np.mean(loud == quiet)) > 0.9


def test_weights_are_known_by_content_not_by_path(tmp_path):
    for name, content in (("a.th", b"one"), ("b.th", b"one"), ("c.th", b"two")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (Encodec(weights=str(tmp_path / f"{name}.th")).identity() for name in "abc")
    assert a == b
    assert a != c
    known = Encodec(weights="untrained").identity()["weights"]
    assert known == f"untrained, version {UNTRAINED_VERSION}"


def test_untrained_weights_of_another_version_are_another_trial(monkeypatch, tmp_path):
    config = resolve([library.recipe("convnext1d-lm-cpu")], "")
    before = identity_of(config, tmp_path)
    monkeypatch.setattr(encodec, "UNTRAINED_VERSION", UNTRAINED_VERSION + 1)
    assert identity_of(config, tmp_path) != before


def test_weights_and_bandwidth_have_caches_of_their_own(reference, tmp_path):
    pack, file = pack_of(sound(1, 700)), file_of(reference, tmp_path)
    for features in (
        Encodec(weights="untrained"),
        Encodec(weights="untrained", bandwidth=3.0),
        Encodec(weights=str(file)),
    ):
        open_codes(pack, "p", features, 700, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("codes-*"))) == 3


def test_a_torchaudio_that_does_not_fit_is_one_clear_error(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.split(".")[0] == "encodec"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "encodec").mkdir()
    (tmp_path / "encodec/__init__.py").touch()
    (tmp_path / "encodec/model.py").write_text("raise OSError('undefined symbol: torch_x')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"undefined symbol: torch_x.* suit torch \d"):
        Encodec(weights="untrained").build(SAMPLE_RATE)
    for name in [name for name in sys.modules if name.split(".")[0] == "encodec"]:
        monkeypatch.delitem(sys.modules, name)
