"""Frozen encoders as features: the traps of the field, on encoders that the tests make."""

import functools
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.encoders import FAST, HEAR, KINDS, RATE, tiny_encoder, tiny_image_encoder
from helpers.recipes import TINY

import audiocls
from audiocls import extras
from audiocls.audio import embeddings
from audiocls.audio.clips import fingerprint
from audiocls.audio.dataset import open_dataset
from audiocls.audio.embeddings import DONE, RowExtraction
from audiocls.audio.feature_cache import HERE
from audiocls.audio.features import HF, Encodec, Timm
from audiocls.audio.features.embedder import Embedder
from audiocls.audio.pack import FULL_SCALE, Pack
from audiocls.config import Config, identity_config, resolve
from audiocls.encoders.hub import folder_of
from audiocls.encoders.source import source_of
from audiocls.errors import ConfigError, DataError, UsageError
from audiocls.execution.content import identity_of, require_encoders
from audiocls.parts.origin import OWN_FILES, of_server
from audiocls.studies.listing import parts
from audiocls.testing import features as owed
from audiocls.yaml_file import dump

COMMIT = "dba3bb02fda4248b6e082697eee756de8fe8aa8a"
HUB_NAME = f"tiny/hubert@{COMMIT}"

EVERY_KIND = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind not in FAST)) for kind in KINDS]
)
NEEDS_TIMM = pytest.mark.slow
"""Its import alone takes seconds, and that of torchvision, which it brings."""

MakeEncoder = Callable[[str], str]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> MakeEncoder:
    """Return the folder of the encoder of a kind, made once."""
    folder = tmp_path_factory.mktemp("encoders")
    return functools.cache(lambda kind: str(tiny_encoder(kind, folder / kind)))


def noise(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [0.1 * torch.randn(length, generator=generator) for length in lengths]


def padded(clips: list[torch.Tensor], num_samples: int) -> torch.Tensor:
    rows = torch.zeros(len(clips), num_samples)
    for row, clip in zip(rows, clips, strict=True):
        row[: len(clip)] = clip
    return rows


def config_with(model: str, changes: dict[str, Any] | None = None) -> Config:
    layers = [TINY, {"data.sample_rate": RATE, "model": {"name": "linear"}}]
    return resolve([*layers, {"features": {"name": "hf", "model": model}}, changes or {}], "t")


@EVERY_KIND
@pytest.mark.parametrize("rule", [*owed.RULES, *owed.OF_FIXED], ids=lambda rule: rule.__name__)
def test_an_encoder_keeps_the_contract_of_front_ends(encoder, kind, rule):
    rule(HF(model=encoder(kind)), RATE)


@EVERY_KIND
def test_an_embedding_does_not_depend_on_what_lies_beside_it(encoder, kind):
    """Padded without a mask, the cosine to the clip alone was 0.38 (HuBERT), 0.71 (wav2vec2)."""
    front_end = HF(model=encoder(kind)).build(RATE)
    clips = noise(4800, 16000, 8000)
    together = front_end(padded(clips, 16000))
    for clip, among in zip(clips, together, strict=True):
        torch.testing.assert_close(front_end(clip[None])[0], among, atol=1e-5, rtol=1e-4)


def test_the_rate_is_the_processors(encoder):
    assert "takes 16000 Hz, got 8000 Hz" in HF(model=encoder("hubert")).check(8000)[0]
    with pytest.raises(ConfigError, match=r"set data\.sample_rate=16000"):
        config_with(encoder("hubert"), {"data.sample_rate": 8000})


def test_the_window_is_the_processors(encoder):
    with pytest.raises(
        ConfigError, match=r"got clips of 20500 samples.*set data\.duration_s=1\.28"
    ):
        HF(model=encoder("ast")).build(RATE)(torch.rand(1, 20500))


def test_the_last_layer_is_the_encoders_output_and_no_logits(encoder):
    """It is normalised as the authors' own heads get it; numbers from the end mean the same."""
    from transformers import ASTFeatureExtractor, ASTModel

    (clip,) = noise(16000)
    folder = encoder("ast")
    made = ASTFeatureExtractor.from_pretrained(folder)(
        clip.numpy(), sampling_rate=RATE, return_tensors="pt"
    )
    with torch.no_grad():
        theirs = ASTModel.from_pretrained(folder).eval()(**made).last_hidden_state.mean(1)
    for layer in (-1, 3):
        ours = HF(model=folder, layer=layer).build(RATE)(clip[None])[:, :, 0]
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    with pytest.raises(ConfigError, match="layer: got 4, allowed: -4 to 3"):
        HF(model=folder, layer=4).build(RATE)(clip[None])


def test_a_pooling_is_of_frames_and_layers_become_frames(encoder):
    folder, clips = encoder("hubert"), padded(noise(8000, 8000), 8000)
    of = lambda **options: HF(model=folder, **options).build(RATE)(clips)  # noqa: E731
    frames = of(pool="frames")
    torch.testing.assert_close(of(pool="mean")[:, :, 0], frames.mean(2))
    torch.testing.assert_close(of(pool="max")[:, :, 0], frames.amax(2))
    both = of(pool="mean_max")
    torch.testing.assert_close(both[:, :32, 0], frames.mean(2))
    every = of(layer="all")
    assert every.shape == (2, 32, 13)
    torch.testing.assert_close(every[:, :, 1:2], of(layer=1))


def test_revision_and_content_are_in_the_id(encoder, tmp_path, cache):
    copy = tmp_path / "copy"
    shutil.copytree(encoder("ast"), copy)
    one, moved = (identity_of(config_with(name), cache) for name in (encoder("ast"), str(copy)))
    assert one == moved
    changed = json.loads((copy / "preprocessor_config.json").read_text()) | {"mean": 0.0}
    (copy / "preprocessor_config.json").write_text(json.dumps(changed))
    assert identity_of(config_with(str(copy)), cache) != one
    names = [f"tiny/hubert@{commit}" for commit in (COMMIT, COMMIT[::-1])]
    assert len({json.dumps(identity_of(config_with(name), cache)) for name in names}) == 2


@pytest.mark.parametrize("name", ["facebook/hubert", "facebook/hubert@main", "hubert@v1.0"])
def test_a_name_of_the_hub_needs_its_commit(name):
    with pytest.raises(ConfigError, match="neither a folder nor pinned"):
        config_with(name)


def test_weights_that_may_run_code_are_refused(encoder, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(encoder("hubert"), folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"pytorch_model\.bin, which may run code.*convert it once"):
        folder_of(source_of(str(folder)))


def test_weights_that_are_missing_are_refused_and_not_random(encoder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "torn"
    shutil.copytree(encoder("hubert"), folder)
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("encoder.layer_norm.weight")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match=r"1 tensors are missing.*encoder\.layer_norm\.weight"):
        HF(model=str(folder)).build(RATE)


def test_an_encoders_own_code_is_run_only_for_those_whom_the_user_trusts(monkeypatch):
    given = {"features": {"name": "hf", "model": HUB_NAME, "remote_code": True}}
    layers = [TINY, {"data.sample_rate": RATE, "model": {"name": "linear"}}, given]
    assert resolve(layers, "t", OWN_FILES).features.remote_code
    with pytest.raises(ConfigError, match=r"If you trust them: --trust tiny/hubert"):
        resolve(layers, "t", of_server("sweep me/birds/abc"))
    monkeypatch.setenv("AUDIOCLS_TRUST", "tiny/hubert")
    assert resolve(layers, "t", of_server("sweep me/birds/abc")).features.remote_code


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"the network was asked for {args}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def on_hub(encoder: MakeEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an encoder in the Hub's cache, as if it had been downloaded."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--tiny--hubert" / "snapshots" / COMMIT
    shutil.copytree(encoder("hubert"), folder)
    return HUB_NAME


@pytest.mark.usefixtures("no_network")
def test_a_warm_cache_asks_no_network(on_hub, cache):
    config = config_with(on_hub)
    require_encoders([config])
    assert config.features.notes() == ["The encoder tiny/hubert@dba3bb02 is used under apache-2.0"]
    assert config.features.build(RATE)(torch.rand(1, 8000)).shape == (1, 32, 1)
    (listed,) = (each for each in parts("features") if each.name == HUB_NAME)
    assert listed.licence == "apache-2.0"
    shorter = config_with(f"tiny/hubert@{COMMIT[:8]}")
    assert shorter.features.check(8000)


def test_offline_it_says_what_to_download_where(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError) as caught:
        require_encoders([config_with(HUB_NAME)])
    said = str(caught.value)
    assert "\n" not in said
    for part in ("HF_HUB_OFFLINE", f"hf download tiny/hubert --revision {COMMIT}", "--local-dir"):
        assert part in said


@pytest.fixture
def no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache of the Hub, and a network that finds no host."""

    def fail(*args: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.mark.usefixtures("no_answer")
def test_a_launch_refuses_an_encoder_that_no_trial_could_get(tmp_path):
    file = tmp_path / "probe.yaml"
    parts = {"features": {"name": "hf", "model": HUB_NAME}, "model": {"name": "linear"}}
    file.write_text(dump({**TINY, "data": {**TINY["data"], "sample_rate": RATE}, **parts}))
    with pytest.raises(DataError, match=r"cannot be downloaded \(ConnectError.*hf download"):
        audiocls.train(config=str(file), runs=tmp_path / "runs", executor="inline", progress=False)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("part", "absent", "extra"),
    [
        ({"features": {"name": "hf", "model": "./tiny"}}, "transformers", "encoders"),
        ({"features": {"name": "timm", "model": "./tiny"}}, "timm", "timm"),
        ({"model": {"name": "timm", "model": "./tiny", "lora.rank": 2}}, "peft", "encoders"),
    ],
    ids=["transformers", "timm", "peft"],
)
def test_a_launch_names_the_extra_that_is_missing(monkeypatch, part, absent, extra):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == absent else name)
    config = resolve([TINY, {"data.sample_rate": RATE}, part], "t")
    with pytest.raises(UsageError) as caught:
        require_encoders([config])
    assert str(caught.value) == (
        f"the encoder ./tiny needs the extra '{extra}': pip install 'audiocls[{extra}]' "
        f"({absent} is not installed)"
    )


def test_a_launch_refuses_a_repository_without_safe_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    files = [SimpleNamespace(rfilename=name) for name in ("config.json", "model.bin")]
    known = SimpleNamespace(gated=False, siblings=files)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: known)
    with pytest.raises(DataError, match=r"no whole \*\.safetensors .*convert it once"):
        require_encoders([config_with(HUB_NAME)])


def test_planning_with_encoders_imports_neither_torch_nor_transformers(encoder):
    program = (
        "import sys; from audiocls.audio.features import HF; from pathlib import Path\n"
        f"f = HF(model={encoder('ast')!r}); f.check(8000), f.notes(), f.identity()\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'peft', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def opened(config: Config, cache: Path, **options: Any) -> Any:
    table = config.data.table(cache)
    known = fingerprint(table, cache)
    return open_dataset(config.data, config.features, table, known, cache, **options)


def test_one_pass_a_clip_serves_every_layer_and_pooling(encoder, cache, monkeypatch):
    first = opened(config_with(encoder("hubert")), cache)
    assert first.features.shape == (50, 32, 1)
    monkeypatch.setattr(HF, "embedder", lambda *_: pytest.fail("the encoder was loaded again"))
    for changes in ({"features.layer": 0}, {"features.pool": "max"}, {"features.layer": "all"}):
        config = config_with(encoder("hubert"), changes)
        other = opened(config, cache)
        assert other.features.shape[1:] == config.in_shape
        assert not np.array_equal(other.features[:, :, :1], first.features)


def test_cached_embeddings_are_those_of_the_front_end(encoder, cache):
    told: list[tuple[int, int]] = []
    dataset = opened(
        config_with(encoder("ast")), cache, on_progress=lambda *clips: told.append(clips)
    )
    assert told[-1] == (50, 50)
    clips = np.array([3, 7])
    torch.testing.assert_close(
        dataset.unaugmented(clips),
        dataset.front_end(dataset.waveforms(clips)),
        atol=1e-5,
        rtol=1e-4,
    )


class Counting(torch.nn.Module):
    """An encoder that counts the clips it hears, and may be killed at one of them."""

    def __init__(self, most: int = 1000):
        super().__init__()
        self.heard, self.most = 0, most

    def forward(self, waveforms: torch.Tensor) -> list[torch.Tensor]:
        self.heard += len(waveforms)
        if self.heard > self.most:
            raise KeyboardInterrupt
        return [waveforms.unfold(1, 400, 400)]


def test_extraction_goes_on_where_it_was_killed_and_ends_in_the_same_bits(tmp_path):
    clips = [
        (clip * FULL_SCALE).numpy().astype(np.int16) for clip in noise(*range(2000, 66000, 3200))
    ]
    starts = np.concatenate([[0], np.cumsum([len(clip) for clip in clips])])
    pack = Pack(np.concatenate(clips), starts)

    def extract(folder: str, encoder: Counting) -> bytes:
        embedder = Embedder(encoder, RATE)
        RowExtraction(pack, 66000, RATE, tmp_path / folder, HERE.on_progress).run(
            embedder, embedder
        )
        return (tmp_path / folder / "rows.npy").read_bytes()

    whole = extract("whole", Counting())
    with pytest.raises(KeyboardInterrupt):
        extract("killed", Counting(10))
    done = np.frombuffer((tmp_path / "killed" / DONE).read_bytes(), np.uint8)
    assert 0 < done.sum() < len(clips)
    again = Counting()
    assert extract("killed", again) == whole
    assert again.heard == len(clips) - done.sum()


def test_extraction_tells_how_far_it_is(tmp_path, monkeypatch):
    pack = Pack(np.full(8 * 4000, 100, np.int16), np.arange(0, 9 * 4000, 4000))
    monkeypatch.setattr(embeddings, "MOST_CLIPS", 4)
    embedder, told = Embedder(Counting(), RATE), list[tuple[int, int]]()
    RowExtraction(pack, 4000, RATE, tmp_path, lambda *clips: told.append(clips)).run(
        embedder, embedder
    )
    assert told == [(4, 8), (8, 8)]


def test_batches_are_of_clips_of_one_length(tmp_path):
    lengths = [16000, 8000, 16000, 8000, 4000]
    samples = np.concatenate([np.full(length, 100, np.int16) for length in lengths])
    pack = Pack(samples, np.concatenate([[0], np.cumsum(lengths)]))
    batches = list(RowExtraction(pack, 16000, RATE, tmp_path, HERE.on_progress).batches())
    assert [batch.tolist() for batch in batches] == [[4], [1, 3], [0, 2]]


def test_no_stored_configuration_knows_of_encoders(tiny_config):
    assert "remote_code" not in json.dumps(identity_config(tiny_config()))


@pytest.fixture(scope="session")
def image_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_image_encoder(tmp_path_factory.mktemp("image") / "efficientnet"))


@NEEDS_TIMM
@pytest.mark.parametrize("rule", [*owed.RULES, *owed.OF_FIXED], ids=lambda rule: rule.__name__)
def test_a_network_for_images_keeps_the_contract_of_front_ends(image_encoder, rule):
    rule(Timm(model=image_encoder, n_mels=32, n_fft=512), RATE)


@NEEDS_TIMM
def test_its_stages_are_layers_and_the_last_is_what_its_head_gets(image_encoder):
    clips = torch.stack(noise(8000, 8000))
    last = Timm(model=image_encoder).build(RATE)(clips)
    stage = Timm(model=image_encoder, layer=0).build(RATE)(clips)
    assert last.shape[1] > stage.shape[1] > 1


def test_a_module_with_the_hear_interface_is_a_front_end(tmp_path, monkeypatch):
    (tmp_path / "tinyhear.py").write_text(HEAR)
    monkeypatch.chdir(tmp_path)
    given = {"features": {"name": "hear", "model": "tinyhear:load_model"}}
    layers = [TINY, {"data.sample_rate": RATE, "model": {"name": "linear"}}, given]
    features = resolve(layers, "t", OWN_FILES).features
    (clip,) = noise(8000)
    scene = features.build(RATE)(clip[None])
    assert scene.shape == (1, 8, 1) == (1, *features.shape(8000, RATE))
    stamps = features.model_copy(update={"pool": "frames"}).build(RATE)(clip[None])
    torch.testing.assert_close(stamps.mean(2, keepdim=True), scene)
    with pytest.raises(ConfigError, match=r"it takes 16000 Hz, got 8000 Hz"):
        features.build(8000)
    with pytest.raises(ConfigError, match="If you trust the module"):
        resolve(layers, "t", of_server("sweep me/birds/abc"))


@pytest.mark.slow  # the import of another network
def test_encodec_by_transformers_makes_the_codes_that_transformers_makes(tmp_path):
    from transformers import EncodecConfig, EncodecModel

    torch.manual_seed(0)
    codec = EncodecModel(EncodecConfig(num_filters=2, target_bandwidths=[1.5])).eval()
    for layer in codec.quantizer.layers:
        layer.codebook.embed.normal_()
    codec.save_pretrained(tmp_path / "codec")
    (tmp_path / "codec" / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    features = Encodec(package="transformers", weights=str(tmp_path / "codec"))
    waveforms = 0.1 * torch.randn(2, 4800)
    with torch.no_grad():
        theirs = codec.encode(waveforms[:, None], bandwidth=1.5).audio_codes[0]
        ours = features.build(24000).codes(waveforms)
    assert (ours == theirs).float().mean() > 0.99  # near ties are rounded otherwise
    assert features.notes() == [f"The encoder {tmp_path}/codec is used under cc-by-nc-4.0"]
    assert features.identity()["weights"].startswith("sha256:")
    with pytest.raises(ValueError, match=r"wanted: facebook/encodec_24khz@commit"):
        Encodec(package="transformers")
