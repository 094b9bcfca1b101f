"""Recipes and ablations of pretrained encoders, `examples/encoders`, with siblings for offline."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.encoders import FOLDER, KINDS, tiny_encoder, tiny_image_encoder

from audiocls import library
from audiocls.audio.clips import fingerprint
from audiocls.config import Config, encoders_of, resolve
from audiocls.execution.worker_cache import WorkerCache
from audiocls.studies.ablation import resolved
from audiocls.studies.request import ablation_request
from audiocls.training.fit import Signal, fit
from audiocls.training.state import build

FULL = [
    *("probe-ast", "probe-hubert", "probe-whisper", "probe-clap"),
    *("finetune-ast", "lora-ast", "timm-mel"),
]
QUESTIONS = {
    file.stem: library.ablation(str(file)) for file in (FOLDER / "ablations").glob("*.yaml")
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory of somebody who tries the examples, with folders for tiny encoders."""
    folder = tmp_path_factory.mktemp("home") / "encoders"
    shutil.copytree(FOLDER, folder)
    for kind in (*KINDS, "efficientnet"):
        (folder / "tiny" / kind).mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def with_encoders(home: Path) -> Path:
    """The same, with the encoders that `tiny.py` writes."""
    for kind in KINDS:
        tiny_encoder(kind, home / "tiny" / kind)
    tiny_image_encoder(home / "tiny/efficientnet")
    return home


def config_of(name: str) -> Config:
    return resolve([library.recipe(name)], name)


def test_the_folder_holds_these_recipes_and_their_siblings():
    names = {file.stem for file in (FOLDER / "recipes").glob("*.yaml")}
    assert names == {*FULL, *(f"{name}-tiny" for name in FULL)}


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", FULL)
def test_a_recipe_pins_its_encoder_and_its_sibling_takes_the_same_path(name):
    full, tiny = config_of(name), config_of(f"{name}-tiny")
    assert full.model.name == tiny.model.name
    assert full.features.name == tiny.features.name
    for key, encoder in encoders_of(full).items():
        assert encoder.source.is_on_hub or name == "timm-mel"
        assert not encoders_of(tiny)[key].source.is_on_hub
        same = {"unfreeze", "head_epochs", "lr_decay", "lora", "layer", "pool"}
        for option in same & set(type(encoder).model_fields):
            assert getattr(encoder, option) == getattr(encoders_of(tiny)[key], option)
    assert "sibling of" in Path(f"recipes/{name}-tiny.yaml").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("with_encoders")
@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_an_ablation_plans_on_the_sibling(name, cache):
    recipe = QUESTIONS[name].recipe
    tiny = recipe if recipe == "convnext1d-logmel" else f"{recipe}-tiny"
    small = ["data.num_sources=5", "data.clips_per_source=1"]
    study = resolved(ablation_request(name, tiny, small)).study
    assert len(study.arms) > 1


@pytest.mark.slow
@pytest.mark.usefixtures("with_encoders")
@pytest.mark.parametrize("name", [f"{name}-tiny" for name in FULL])
def test_a_sibling_trains(name, cache):
    config = config_of(name)
    dataset = WorkerCache(cache).dataset(config, fingerprint(config.data.table(cache), cache))
    progress = fit(build(config, dataset), lambda _: Signal.CONTINUE)
    assert progress.is_complete


def test_raw_vs_encoders_and_its_sibling_have_the_same_arms():
    real, tiny = QUESTIONS["raw_vs_encoders"], QUESTIONS["raw_vs_encoders-tiny"]
    assert [*real.arms] == [*tiny.arms]
    for name, changes in real.arms.items():
        encoder = tiny.arms[name]["features"].get("model")
        expected = changes["features"] | ({"model": encoder} if encoder else {})
        assert tiny.arms[name] == {**changes, "features": expected}


@pytest.mark.filterwarnings("ignore::FutureWarning:")  # its own
def test_beats_is_a_front_end_by_import_string(tmp_path, home, monkeypatch):
    """Random weights, in the layout of the authors' checkpoints."""
    encoder = pytest.importorskip("openbeats.beats_encoder").BeatsEncoder
    monkeypatch.syspath_prepend(home)
    sizes = {"encoder_layers": 1, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 32}
    sizes |= {"encoder_attention_heads": 2, "embed_dim": 16, "conv_pos_groups": 2}
    stored = {"cfg": sizes, "model": encoder(input_size=0, beats_config=sizes).state_dict()}
    torch.save(stored, tmp_path / "beats.pt")
    given = {"name": "zoo:Beats", "checkpoint": str(tmp_path / "beats.pt")}
    features = resolve([library.recipe("probe-ast-tiny"), {"features": given}], "t").features
    clips = 0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))
    made = features.build(16000)(clips)
    assert made.shape == (2, *features.shape(16000, 16000)) == (2, 32, 1)
    torch.testing.assert_close(features.build(16000)(clips[1:]), made[1:])
    with pytest.raises(ValueError, match="BEATs takes 16000 Hz, got 8000 Hz"):
        features.build(8000)
