"""Weights from elsewhere: what is taken, what is left, what may be heard before the classes."""

import json
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.recipes import TINY
from helpers.trials import dotted, make_job

from audiocls.audio.clips import fingerprint
from audiocls.audio.deduplicate import audio_digests, exclude_copies
from audiocls.audio.unlabelled import unlabelled_split, unlabelled_table
from audiocls.config import by_content, files_of, identity_config, resolve, trial_id
from audiocls.errors import ConfigError, DataError, UsageError
from audiocls.execution.content import identity_of, require_usable
from audiocls.execution.pretraining_stage import stage_for
from audiocls.training.checkpoint import description_of, weights_of
from audiocls.training.init_from import HEAD, Weights, freeze, load_matching_weights, weights_from
from audiocls.training.pretrain import stage_of

OTHER = {"pretraining.data": {**TINY["data"], "seed": 1}}


def of(parts, labels=("a",)):
    return Weights("a test", dict(parts.classifier.state_dict()), labels)


def test_everything_that_fits_is_taken_and_the_last_layer_only_between_the_same_classes(tiny_parts):
    source, target = tiny_parts({"seed": 1}), tiny_parts()
    labels = target.dataset.table.labels
    report = load_matching_weights(target.classifier, of(source, labels), labels)
    assert not report.missing
    assert not report.other_shape
    for name, tensor in target.classifier.state_dict().items():
        if not name.startswith("standardise."):
            assert torch.equal(tensor, source.classifier.state_dict()[name])
    fresh = tiny_parts()
    head = fresh.classifier.model.head.weight.clone()
    report = load_matching_weights(fresh.classifier, of(source, ("other", "classes")), labels)
    assert {name.startswith(HEAD) for name in report.missing} == {True}
    assert torch.equal(fresh.classifier.model.head.weight, head)


def test_statistics_are_of_the_clips_trained_on_now(tiny_parts):
    source, target = tiny_parts({"fold": 2}), tiny_parts()
    before = target.classifier.standardise.mean.clone()
    assert not torch.equal(source.classifier.standardise.mean, before)
    load_matching_weights(target.classifier, of(source), target.dataset.table.labels)
    assert torch.equal(target.classifier.standardise.mean, before)


def test_what_has_another_shape_is_reported_and_left(tiny_parts):
    source = tiny_parts({"model.channels": [8, 8, 8, 16]})
    target = tiny_parts()
    labels = target.dataset.table.labels
    report = load_matching_weights(target.classifier, of(source, labels), labels)
    assert report.other_shape
    assert "other shape: model." in report.sentence()
    assert report.sentence().startswith(f"{len(report.taken)} of ")


def test_weights_of_which_none_fits_are_refused(tiny_parts):
    strange = Weights("x", {"elsewhere": torch.zeros(3)}, ())
    with pytest.raises(ConfigError, match="none of its weights before the last layer fits"):
        load_matching_weights(tiny_parts().classifier, strange, ("a",))


def test_counters_and_a_last_layer_alone_are_no_start(tiny_parts):
    narrow, target = tiny_parts({"model.channels": [4, 4, 4, 4]}), tiny_parts()
    labels = target.dataset.table.labels
    with pytest.raises(ConfigError, match="none of its weights"):
        load_matching_weights(target.classifier, of(narrow, labels), labels)


def test_frozen_weights_stand_still_and_the_last_layer_learns(tiny_parts):
    from audiocls.training.fit import Signal, fit

    parts = tiny_parts()
    freeze(parts.classifier, parts.classifier.state_dict())
    before = {name: p.clone() for name, p in parts.classifier.named_parameters()}
    fit(parts, lambda end: Signal.CONTINUE)
    moved = {n for n, p in parts.classifier.named_parameters() if not torch.equal(p, before[n])}
    assert moved
    assert all(name.startswith(HEAD) for name in moved)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"garbage")
    for path in (tmp_path / "x.safetensors", tmp_path / "none"):
        with pytest.raises(UsageError, match="init_from"):
            weights_from(path)


@pytest.fixture
def folder(tmp_path, cache):
    """Thirty unlabelled recordings, copies of the tiny data set's under names of their own."""
    table = resolve([TINY], "").data.table(cache)
    place = tmp_path / "some" / "folder"
    place.mkdir(parents=True)
    for i, clip in enumerate(table.clips[:30]):
        shutil.copy(clip.path, place / f"{i}.wav")
    return place


def test_a_folder_of_audio_is_a_table_without_labels(folder):
    table = unlabelled_table(folder.parent)
    assert len(table.clips) == 30
    split = unlabelled_split(table)
    assert len(split.test) == 0
    assert sorted([*split.train, *split.val]) == list(range(30))
    assert 0 < len(split.val) < 10


def test_a_folder_without_audio_is_refused(tmp_path):
    with pytest.raises(DataError, match="got 0 audio files"):
        unlabelled_table(tmp_path)


def digests_of(table, cache):
    return audio_digests(table, fingerprint(table, cache), 8000, cache)


def test_copies_of_what_will_be_tested_are_never_heard_whatever_their_names(folder, cache):
    own = resolve([TINY], "").data.table(cache)
    table = unlabelled_table(folder)
    scored = own.split(1)
    excluded = np.concatenate([scored.val, scored.test])
    known = digests_of(own, cache)
    split = exclude_copies(unlabelled_split(table), digests_of(table, cache), known[excluded])
    forbidden = {own.clips[i].path.read_bytes() for i in excluded}
    heard = [table.clips[i].path.read_bytes() for i in (*split.train, *split.val)]
    assert heard
    assert not forbidden & set(heard)
    num_copies = sum(clip.path.read_bytes() in forbidden for clip in table.clips)
    assert len(heard) == len(table.clips) - num_copies
    with pytest.raises(DataError, match="copies"):
        exclude_copies(unlabelled_split(table), digests_of(table, cache), known)


def test_a_copy_is_a_copy_in_stereo_too_and_another_recording_is_none(folder, cache):
    originals = digests_of(unlabelled_table(folder), cache)[:2]
    place = folder / "again"
    place.mkdir()
    with wave.open(str(folder / "0.wav")) as mono:
        facts, samples = mono.getparams(), np.frombuffer(mono.readframes(mono.getnframes()), "<i2")
    with wave.open(str(place / "0.wav"), "wb") as stereo:
        stereo.setparams(facts._replace(nchannels=2))
        stereo.writeframes(np.repeat(samples, 2).tobytes())
    shutil.copy(folder / "1.wav", place / "1.wav")
    again = digests_of(unlabelled_table(place), cache)
    assert again.tolist() == originals.tolist()
    assert again[0] != again[1]


def test_hidden_files_are_no_recordings(folder):
    (folder / "._0.wav").write_bytes(b"what macOS leaves behind")
    (folder / ".trash").mkdir()
    shutil.copy(folder / "0.wav", folder / ".trash" / "0.wav")
    (folder / "a folder.wav").mkdir()
    assert len(unlabelled_table(folder).clips) == 30


def test_what_a_named_file_holds_is_the_trials_identity_and_where_it_lies_is_not(tmp_path, cache):
    one, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    one.write_bytes(b"weights")
    other.write_bytes(b"weights")

    def id_of(path: Path) -> str:
        return trial_id(identity_of(resolve([TINY, {"init_from": str(path)}], ""), cache), "data")

    assert id_of(one) == id_of(other)
    other.write_bytes(b"others")
    assert id_of(one) != id_of(other)
    with pytest.raises(UsageError, match="init_from"):
        id_of(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["cut", "gone", "garbage", "undescribed"])
def test_a_checkpoint_that_is_missing_or_broken_is_refused_at_launch(tmp_path, tiny_parts, damage):
    parts, file = tiny_parts(), tmp_path / "a.safetensors"
    whole = weights_of(parts.classifier)
    labels = parts.dataset.table.labels
    file.write_bytes(whole)
    file.with_suffix(".json").write_text(json.dumps(description_of(parts.config, labels)))
    config = resolve([TINY, {"init_from": str(file)}], "")
    require_usable(config, labels)
    if damage == "undescribed":
        file.with_suffix(".json").unlink()
    elif damage == "gone":
        file.unlink()
    else:
        file.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"garbage")
    with pytest.raises(UsageError, match=r"init_from: .* cannot be read as a checkpoint"):
        require_usable(config, labels)


def test_another_kind_of_model_is_refused_at_launch(tmp_path, tiny_parts):
    parts, file = tiny_parts(), tmp_path / "a.safetensors"
    file.write_bytes(weights_of(parts.classifier))
    file.with_suffix(".json").write_text(json.dumps(description_of(parts.config, ("a",))))
    config = resolve([TINY, {"init_from": str(file), "model.name": "resnet18"}], "")
    with pytest.raises(ConfigError, match="its model is logmel_cnn, this trial's resnet18"):
        require_usable(config, ("a",))


def test_only_named_files_are_looked_for():
    config = resolve([TINY, {"distil.teacher": "t", "init_from": "i"}], "")
    assert files_of(config) == {"distil.teacher": "t", "init_from": "i"}
    assert by_content(identity_config(config), {"init_from": "x"})["init_from"] == "x"


def wanted(tmp_path, cache, **changes):
    return stage_for(make_job(tmp_path), resolve([TINY, dotted(changes)], ""), cache)


def contents(table, clips):
    return {table.clips[i].path.read_bytes() for i in clips}


@pytest.mark.parametrize("fold", [3, 4, 5])
def test_no_fold_pretrains_on_what_it_validates_or_tests(tmp_path, cache, fold):
    own = resolve([TINY], "").data.table(cache)
    scored = own.split(fold)
    stage = wanted(tmp_path, cache, pretraining__data=TINY["data"], fold=fold)
    heard = contents(stage.table, (*stage.split.train, *stage.split.val))
    assert heard
    assert not heard & contents(own, (*scored.val, *scored.test))


def test_folds_share_a_stage_only_if_they_hear_the_same_in_it(tmp_path, cache):
    def ids(data):
        folds = (wanted(tmp_path, cache, pretraining__data=data, fold=fold) for fold in (3, 4, 5))
        return {stage.folder.id for stage in folds}

    assert len(ids(TINY["data"])) == 3
    assert len(ids({**TINY["data"], "seed": 1})) == 1


def test_a_stage_of_several_labels_is_trained_as_such(cache):
    audioset = {"name": "audioset", "root": "/nowhere", "sample_rate": 8000}
    stage = stage_of(resolve([TINY, {"pretraining.data": audioset}], ""))
    assert (stage.train.loss, stage.train.select) == ("bce", "val/map")
    stage = stage_of(resolve([TINY, {"pretraining.data": audioset, "train.loss": "focal"}], ""))
    assert stage.train.loss == "focal"


def test_arms_that_differ_in_fine_tuning_alone_share_their_stage(cache):
    def stage(**changes):
        layers = [TINY, OTHER, dotted(changes)]
        return identity_of(stage_of(resolve(layers, "")), cache)

    assert stage() == stage(freeze=True) == stage(optim__lr=0.5) == stage(sam__rho=0.1)
    assert stage() == stage(fold=3)  # of other data: its own first fold
    assert stage() != stage(seed=1)
    assert stage() != stage(model__kernel=5)
    assert stage() != stage(pretraining__epochs=3)


def test_the_other_datas_content_is_part_of_the_trials_identity(cache):
    one = resolve([TINY, OTHER], "")
    other = resolve([TINY, OTHER, {"pretraining.data.seed": 2}], "")
    ids = {trial_id(identity_of(config, cache), "data") for config in (one, other)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"freeze": True}, "nothing was trained before"),
        ({**OTHER, "pretraining.data.sample_rate": 4000}, "the trial's own, 8000 Hz"),
        ({"pretraining.epochs": 3}, "no effect without data"),
        ({"ssl.mode": "joint"}, "needs features.name=encodec"),
        ({"ssl.epochs": 3}, "no effect under mode 'none'"),
        ({"distil.weight": 0.1}, "no effect without a teacher"),
        ({"train.focal_gamma": 1.0}, "loss 'focal' only"),
        ({"train.patience": 3, "train.select": "last"}, "select 'last'"),
        ({"schedule.name": "plateau", "train.select": "last"}, "never improves"),
    ],
)
def test_options_that_cannot_go_together_or_have_no_effect_are_refused(changes, said):
    with pytest.raises(ConfigError) as raised:
        resolve([TINY, changes], "")
    assert said in str(raised.value)


def test_a_resolved_configuration_can_be_read_back():
    for changes in ({}, OTHER, {"train.loss": "focal", "averaging.name": "swa"}):
        config = resolve([TINY, changes], "")
        assert resolve([config.model_dump(mode="json")], "") == config


def test_the_fingerprint_of_a_folder_is_of_what_it_holds(folder, tmp_path, cache):
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    known = fingerprint(unlabelled_table(folder), cache)
    assert fingerprint(unlabelled_table(moved), cache) == known
    (moved / "0.wav").unlink()
    assert fingerprint(unlabelled_table(moved), cache) != known
