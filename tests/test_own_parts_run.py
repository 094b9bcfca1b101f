"""Parts of one's own through train, launch, report, predict, evaluate and export."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.audio import uniform_noise, write_wav
from helpers.own_parts import write_package
from helpers.recipes import TINY
from helpers.trials import train, trainable_job
from typer.testing import CliRunner, Result

from audiocls import yaml_file
from audiocls.analysis.influences import influences_of
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.clip_audio import decode_clip
from audiocls.audio.datasets import OwnData
from audiocls.audio.datasets.own_rows import rows_of
from audiocls.audio.decode import decode
from audiocls.cli import app
from audiocls.config import resolve
from audiocls.errors import ConfigError, DataError
from audiocls.execution.messages import Done, Failed
from audiocls.execution.probe import Tried, require_sound
from audiocls.store import TrialFolder
from audiocls.testing import (
    data_contract,
    features_contract,
    loss_contract,
    metric_contract,
    model_contract,
    optimizer_contract,
    schedule_contract,
    transform_contract,
)
from audiocls.training.fit import Signal
from audiocls.training.part_checks import faults_of
from audiocls.training.pretrain import stage_of

pytestmark = pytest.mark.usefixtures("undrawn")

NET = "my_pkg.nets:MyNet"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return write_package(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


def launched(changes: dict[str, Any], **ablation: Any) -> Result:
    """Launch an ablation of two arms over two seeds, in this process."""
    recipe = {**TINY, "train": {"epochs": 1, "batch_size": 16}, **changes}
    Path("own.yaml").write_text(yaml_file.dump(recipe))
    asked = {"name": "mine", "question": "Does it help?", "recipe": "own.yaml"}
    blocks = {"blocks": {"seed": [0, 1], "fold": [1]}}
    Path("mine.yaml").write_text(yaml_file.dump({**asked, **blocks, **ablation}))
    told = ["--executor", "inline", "--devices", "cpu", "--wandb", "disabled"]
    return run("sweep", "launch", "mine.yaml", *told)


def trials() -> list[Path]:
    return sorted(file.parent for file in Path("runs/mine/trials").glob("*/record.json"))


def used(trial: Path) -> None:
    """Report on the study, and use one of its models."""
    report = run("report", "mine", "--json")
    assert report.exit_code == 0, report.output
    assert len(json.loads(report.stdout)["arms"]) == 2
    write_wav(Path("clip.wav"), uniform_noise(4000, peak=0.1, seed=1), 8000)
    predicted = run("predict", str(trial), "clip.wav", "--trust", "my_pkg")
    assert predicted.exit_code == 0, predicted.output
    assert predicted.stdout.startswith("clip.wav")
    exported = run("export", str(trial), "--out", "net.pt", "--format", "torchscript")
    assert exported.exit_code == 0, exported.output


def test_a_model():
    told = launched({"model": {"name": NET}}, factors={"model.width": [4]})
    assert told.exit_code == 0, told.output
    assert "4 trained, 0 reused" in told.output
    used(trials()[0])


@pytest.mark.slow
def test_an_edit_trains_anew_and_undoing_it_reuses(package):
    told = launched({"model": {"name": NET}}, factors={"model.width": [4]})
    assert "4 trained, 0 reused" in told.output
    text = (package / "nets.py").read_text()
    (package / "nets.py").write_text(text.replace("mean(2)", "amax(2)"))
    again = launched({"model": {"name": NET}}, factors={"model.width": [4]})
    assert "4 trained, 0 reused" in again.output
    (package / "nets.py").write_text(text)
    undone = launched({"model": {"name": NET}}, factors={"model.width": [4]})
    assert "0 trained, 4 reused" in undone.output


def test_a_front_end_fixed_and_learned():
    own = {"name": "my_pkg.front:Energies", "bands": 6}
    told = launched({"features": own}, factors={"features.learned": [True]})
    assert told.exit_code == 0, told.output
    for trial in trials():
        used(trial)


def test_a_data_set():
    own = {"name": "my_pkg.data:tones", "root": "tones", "sample_rate": 8000, "duration_s": 0.5}
    told = launched({"data": own}, factors={"model.dropout": [0.5]})
    assert told.exit_code == 0, told.output
    used(trials()[0])
    scored = run("evaluate", str(trials()[0]), "--set", "data.root=tones", "--trust", "my_pkg")
    assert scored.exit_code == 0, scored.output
    assert "my_pkg.data:tones, test clips of fold 1" in scored.output


def test_a_loss():
    own = {"name": "my_pkg.losses:tempered", "temperature": 2.0}
    train = {"epochs": 1, "batch_size": 16, "loss": own}
    told = launched({"train": train}, factors={"train.loss": ["my_pkg.losses:Powered"]})
    assert told.exit_code == 0, told.output
    used(trials()[0])


def test_a_stage_learns_by_the_trials_own_loss():
    own = {"name": "my_pkg.losses:tempered", "temperature": 2.0}
    config = resolve([TINY, {"train.loss": own, "pretraining.data": TINY["data"]}], "")
    assert stage_of(config).train.loss == config.train.loss


def test_a_metric():
    own = {"name": "my_pkg.metrics:certainty", "goal": "maximize", "options": {"scale": 2.0}}
    hits = {"name": "my_pkg.metrics:hits", "goal": "maximize"}
    told = launched({}, factors={"model.dropout": [0.5]}, metric=own, secondary=[hits])
    assert told.exit_code == 0, told.output
    used(trials()[0])
    for trial in map(TrialFolder, trials()):
        logits, labels = (torch.tensor(trial.predictions()[key]) for key in ("logits", "labels"))
        metrics = trial.record().metrics
        certain = logits.softmax(1).gather(1, labels[:, None]).mean().item()
        assert metrics["test/certainty"] == pytest.approx(2 * certain)
        assert metrics["test/hits"] == metrics["test/accuracy"]
        assert "val/hits" in metrics
        own, shipped = (
            influences_of(name, trial.predictions()) for name in ("test/hits", "test/accuracy")
        )
        # The jackknife of a mean is the mean's own influence, where recordings are of one length.
        np.testing.assert_allclose(own.values, shipped.values, atol=1e-12)


ALL = {
    "model": {"name": NET, "dropout": 0.2},
    "features": {"name": "my_pkg.front:Energies", "learned": True},
    "augment": {"transforms": ["my_pkg.aug:quieter", "neg"], "mixes": ["my_pkg.aug:halves"]},
    "optim": {"name": "my_pkg.optim:SignSGD", "lr": 1e-3, "weight_decay": 0.1},
    "schedule": {"name": "my_pkg.optim:stepped"},
    "averaging": {"name": "ema"},
    "sam": {"rho": 0.05},
    "train": {"epochs": 2, "batch_size": 16, "loss": "my_pkg.losses:tempered"},
    "budget": {"max_params": 10_000, "max_macs": 10_000_000},
}


def weights(trial: Path) -> bytes:
    return (trial / "checkpoint.safetensors").read_bytes()


def test_a_trial_of_own_parts_goes_on_from_a_stop_to_the_bit(tmp_path, cache):
    config = resolve([TINY, ALL], "r")
    whole, parted = (trainable_job(config, tmp_path / name, cache) for name in ("a", "b"))
    assert isinstance(train(whole, cache), Done)
    train(parted, cache, Signal.STOP)
    assert not (parted.trial.path / "record.json").exists()
    assert isinstance(train(parted, cache), Done)
    assert weights(parted.trial.path) == weights(whole.trial.path)


def test_a_model_of_ones_own_beyond_its_budget_is_refused():
    told = launched(
        {"model": {"name": NET}}, factors={"model.width": [4]}, budget={"max_params": 9}
    )
    assert told.exit_code == 2
    assert f"the model {NET} needs" in told.output


def test_show_prints_layers_and_costs():
    Path("own.yaml").write_text(yaml_file.dump({**TINY, "model": {"name": NET}}))
    told = run("show", "own.yaml")
    assert told.exit_code == 0, told.output
    assert "body" in told.output
    assert "MACs" in told.output


BAD = {
    "classes": ("Wide", "maps (2, 16, 32) to (2, 11); wanted: (2, 10)"),
    "gradient": ("Detached", "no gradient reaches its parameters"),
    "draws": ("Random", "makes another output of the same input in evaluation mode"),
    "infinite": ("Infinite", "makes numbers that are not finite"),
    "raises": ("raising", "fails on two clips: KeyError: 'layer9' ("),
    "no module": ("number", "makes int; wanted: a torch.nn.Module"),
}


@pytest.mark.parametrize(("part", "sentence"), BAD.values(), ids=BAD.keys())
def test_a_model_that_is_none_is_refused_before_the_first_trial(part, sentence):
    told = launched({"model": {"name": f"my_pkg.bad:{part}"}}, factors={"optim.lr": [0.1]})
    assert told.exit_code == 2
    assert f"model my_pkg.bad:{part}: {sentence}" in told.output
    assert not trials()
    assert not Path("runs/mine").exists()


OTHERS = {
    "loss": ({"train.loss": "my_pkg.losses:scalar"}, "loss my_pkg.losses:scalar: makes () of"),
    "transform": (
        {"augment.transforms": ["my_pkg.aug:shorter"]},
        "transform my_pkg.aug:shorter: makes (1, 3999) of waveforms (1, 4000)",
    ),
    "mix": ({"augment.mixes": ["my_pkg.aug:quieter"]}, "mix my_pkg.aug:quieter: "),
    "metric": ({"train.metrics": ["my_pkg.aug:shorter"]}, "metric my_pkg.aug:shorter: gives a"),
    "no callable": ({"model.name": "my_pkg.bad:WORD"}, "WORD in my_pkg.bad is a str"),
    "import": (
        {"model.name": "my_pkg.broken:part"},
        "my_pkg.broken fails on import: ModuleNotFoundError: No module named 'no_such_thing' (",
    ),
    "front end": (
        {"features.name": "my_pkg.front:Energies", "model": {"name": "resnet18"},
         "features.bands": 1},
        "model resnet18: got features of 1 band",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "sentence"), OTHERS.values(), ids=OTHERS.keys())
def test_so_is_any_other_part(given, sentence):
    found = faults_of(resolve([TINY, given], "r"), num_classes=10)
    assert any(fault.startswith(sentence) or sentence in fault for fault in found), found


@pytest.mark.slow
def test_parts_are_tried_in_a_process_of_their_own_and_once(tmp_path):
    sound = Tried(resolve([TINY, {"model.name": NET}], "r"), 10)
    wrong = Tried(resolve([TINY, {"model.name": "my_pkg.bad:Wide"}], "r"), 10)
    with pytest.raises(ConfigError, match=r"wanted: \(2, 10\)"):
        require_sound("mine", [sound, wrong], tmp_path)
    require_sound("mine", [sound], tmp_path)
    (memo,) = (tmp_path / "sound-parts").iterdir()
    assert memo.name == sound.key


def test_a_module_that_is_changed_after_planning_trains_nothing(package, tmp_path, cache):
    job = trainable_job(resolve([TINY, {"model.name": NET}], "r"), tmp_path / "a", cache)
    (package / "nets.py").write_text((package / "nets.py").read_text() + "\nX = 1\n")
    failed = train(job, cache)
    assert isinstance(failed, Failed)
    assert "my_pkg.nets was changed since this trial was planned" in failed.message


def test_a_clip_is_transformed_the_same_in_any_batch(tmp_path):
    transform_contract("my_pkg.aug:quieter", least=0.1)
    augment = resolve([TINY, {"augment.mixes": ["my_pkg.aug:halves"]}], "r").augment
    waves = torch.arange(8.0).reshape(2, 4)
    mixed, shares = augment.mixes[0].mixed(waves, -waves, ClipRNG(0, torch.arange(2)), 8000)
    assert mixed.tolist() == [[0, 1, -2, -3], [4, 5, -6, -7]]
    assert shares.tolist() == [[0.5], [0.5]]


def test_the_shipped_contracts_hold_ones_own_parts_to_the_same_rules(cache, tmp_path):
    model_contract(NET, in_shape=(6, 20), width=4)
    model_contract("my_pkg.bad:Net", in_shape=(6, 20))
    features_contract("my_pkg.front:Energies", bands=4, learned=True)
    loss_contract("my_pkg.losses:tempered", temperature=2.0)
    loss_contract("focal")
    metric_contract("my_pkg.metrics:hits")
    optimizer_contract("my_pkg.optim:SignSGD", lr=0.01)
    schedule_contract("my_pkg.optim:falling")
    schedule_contract("my_pkg.optim:stepped")
    data_contract("my_pkg.data:tones", cache, root=str(tmp_path / "tones"), sample_rate=8000)


@pytest.mark.parametrize("name", ["Wide", "Detached", "Random", "Infinite"])
def test_a_part_that_breaks_a_rule_does_not_pass(name):
    with pytest.raises((AssertionError, RuntimeError)):
        model_contract(f"my_pkg.bad:{name}", in_shape=(6, 20))


ROWS = {
    "none": ("[]", "yields no clip"),
    "no mapping": ("['a.wav']", "clip 1: got 'a.wav', wanted a mapping with path"),
    "unknown key": ("[{'pth': 'a'}]", "pth: unknown key. Did you mean 'path'?"),
    "no label": ("[{'path': 'a.wav'}]", "label: got None, wanted a name"),
    "two sides": ("[{'path': 'a.wav', 'label': 'a', 'fold': 1, 'split': 'test'}]", "one of them"),
    "fold 0": ("[{'path': 'a.wav', 'label': 'a', 'fold': 0}]", "fold: got 0, wanted a whole"),
    "half a segment": ("[{'path': 'a.wav', 'label': 'a', 'start': 1}]", "start, end: got start 1;"),
    "backwards": (
        "[{'path': 'a.wav', 'label': 'a', 'start': 2, 'end': 1.5}]",
        "start, end: got start 2, end 1.5; wanted both, in seconds, the end after the start",
    ),
    "no split": ("[{'path': 'a.wav', 'label': 'a', 'split': 'spare'}]", "split: got 'spare'"),
    "no file": ("[{'path': 'a.wav', 'label': 'a', 'fold': 1}]", "there is no file "),
    "raises": ("1 / 0", "ZeroDivisionError: division by zero ("),
}


@pytest.mark.parametrize(("rows", "sentence"), ROWS.values(), ids=ROWS.keys())
def test_a_list_of_clips_that_is_none_is_refused_with_its_faults(
    rows, sentence, tmp_path, cache, monkeypatch
):
    monkeypatch.setattr(OwnData, "_answer", rows_of)  # here, for speed
    (tmp_path / "listing.py").write_text(f"def clips():\n    return {rows}\n")
    data = resolve([TINY, {"data.name": "listing:clips"}], "r").data
    with pytest.raises(DataError, match="listing") as caught:
        data.table(cache)
    assert sentence in str(caught.value)


def test_a_list_of_ones_own_is_given_the_local_copy_of_a_url(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(OwnData, "_answer", rows_of)
    folder = tmp_path / "tones"  # `tones` writes what is not there
    here, there = (
        resolve([TINY, {"data.name": "my_pkg.data:tones", "data.root": root}], "r").data.table(
            cache
        )
        for root in (str(folder), f"file://{folder}")
    )
    assert [clip.id for clip in there.clips] == [clip.id for clip in here.clips]
    assert all(clip.path.is_relative_to(cache) for clip in there.clips)


def test_a_tilde_in_the_root_of_a_list_of_ones_own_is_the_home_folder(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(OwnData, "_answer", rows_of)
    monkeypatch.setenv("HOME", str(tmp_path))
    data = resolve([TINY, {"data.name": "my_pkg.data:tones", "data.root": "~/tones"}], "r").data
    clips = data.table(cache).clips
    assert all(clip.path.is_relative_to(tmp_path / "tones") for clip in clips)


def test_clips_of_several_labels_and_without_folds(tmp_path, cache):
    for number in range(6):
        write_wav(tmp_path / f"{number}.wav", uniform_noise(2000, peak=0.1, seed=number), 8000)
    (tmp_path / "listing.py").write_text(
        "def several():\n"
        "    for i in range(6):\n"
        "        yield {'path': f'{i}.wav', 'labels': ['b', 'a'][i % 2:], 'fold': i % 3 + 1}\n"
        "def without():\n"
        "    for i in range(6):\n"
        "        yield {'path': f'{i}.wav', 'label': 'ab'[i % 2], 'source': i}\n"
    )
    several = {"data": {"name": "listing:several", "multi_label": True}, "train.loss": "bce"}
    config = resolve([TINY, several, {"train.select": "val/map"}], "r")
    table = config.data.table(cache)
    assert np.array_equal(table.targets()[:2], [[1, 1], [1, 0]])
    drawn = resolve([TINY, {"data": {"name": "listing:without"}}], "r").data.table(cache)
    assert drawn.folds == (1, 2, 3, 4, 5)


def test_segments_of_a_recording_share_its_source_and_further_test_clips_have_a_name(
    tmp_path, cache, monkeypatch
):
    monkeypatch.setattr(OwnData, "_answer", rows_of)
    for name in ("a", "b"):
        write_wav(tmp_path / f"{name}.wav", uniform_noise(8000, peak=0.1, seed=ord(name)), 8000)
    (tmp_path / "listing.py").write_text(
        "def segments():\n"
        "    for split, name in (('train', 'a'), ('test:unseen', 'b')):\n"
        "        for at in (0, 0.5):\n"
        "            yield {'path': f'{name}.wav', 'label': 'x', 'split': split,"
        " 'start': at, 'end': at + 0.5}\n"
    )
    clips = resolve([TINY, {"data": {"name": "listing:segments"}}], "r").data.table(cache).clips
    assert [clip.id for clip in clips[:2]] == ["a.wav#0-0.5", "a.wav#0.5-1"]
    assert [clip.source for clip in clips] == ["a.wav", "a.wav", "b.wav", "b.wav"]
    assert clips[3].segment == (0.5, 1.0)
    assert clips[3].split == "test:unseen"
    decoded = [decode_clip(clip).samples for clip in clips[:2]]
    assert np.array_equal(np.concatenate(decoded), decode(tmp_path / "a.wav").samples)


def test_modules_are_found_beside_the_recipe_and_in_the_places_named(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "own.yaml").write_text(yaml_file.dump({**TINY, "model": {"name": NET}}))
    assert run("show", "../own.yaml").exit_code == 0
    monkeypatch.setenv("AUDIOCLS_PATH", "")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(tmp_path)])
    (tmp_path / "elsewhere/own.yaml").write_text((tmp_path / "own.yaml").read_text())
    told = run("show", "own.yaml")
    assert f"no module 'my_pkg' on the path or in {os.getcwd()}" in told.output  # noqa: PTH109
    assert run("show", "own.yaml", "--path", "..").exit_code == 0
