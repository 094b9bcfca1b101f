"""Scoring without training: the record again, classes by name, honest intervals."""

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.audio import uniform_noise, write_wav
from helpers.trials import TRIALS, TrainedTrial

from audiocls.audio.clips import Clip, ClipTable
from audiocls.errors import DataError
from audiocls.stats import accuracy_interval
from audiocls.training.evaluate import Evaluation, evaluate
from audiocls.training.evaluation_request import (
    EvaluationRequest,
    clips_of_split,
    evaluation_request,
    num_seen,
)
from audiocls.training.manifest import read_manifest


@pytest.fixture(scope="module", params=["logmel", "raw"])
def trained(request, tmp_path_factory, cache) -> TrainedTrial:
    return TrainedTrial(TRIALS[request.param], tmp_path_factory.mktemp("trial"), cache)


def evaluated(
    trained: TrainedTrial, table: ClipTable, split: str, cache: Path, known_only: bool = False
) -> Evaluation:
    checkpoint = trained.checkpoint
    clips = clips_of_split(table, split, 1)
    request = EvaluationRequest(split, checkpoint.config.data, table, clips)
    return evaluate(checkpoint, request, cache, known_only)


def relabelled(table: ClipTable, labels: tuple[str, ...]) -> ClipTable:
    """The same clips; what was the class number i is now called `labels[i]`."""
    return replace(table, labels=labels)


LATER = {
    "ema": {"averaging": {"name": "ema", "every_steps": 1}},
    "swa": {"averaging": {"name": "swa", "start": 0.5}},
    "normalised wave": {"features.wave_normalise": "abs_max"},
    "learned front end": {
        "features": {"name": "leaf", "num_filters": 8, "window": 101, "hop": 256}
    },
}


@pytest.mark.parametrize("changes", LATER.values(), ids=LATER)
def test_what_is_saved_is_what_was_scored(changes, tmp_path, cache):
    """Averaged weights, the level of the wave and a learned front end travel in the checkpoint."""
    test_a_trials_own_test_clips_give_its_record_again(
        TrainedTrial(changes, tmp_path, cache), cache
    )


def test_a_trials_own_test_clips_give_its_record_again(trained, cache):
    record = trained.trial.record()
    found = evaluated(trained, trained.table, "test", cache)
    recorded = {name: value for name, value in record.metrics.items() if name.startswith("test/")}
    metrics = found.metrics()
    assert {name: metrics[name.removeprefix("test/")] for name in recorded} == recorded
    predictions = trained.trial.predictions()
    assert np.array_equal(found.logits.numpy(), predictions["logits"])
    assert [clip.id for clip in found.clips] == predictions["clips"].tolist()


def test_the_splits_are_disjoint_and_all_is_all_of_them(any_trained):
    table = any_trained.table
    parts = [clips_of_split(table, split, 1) for split in ("train", "val", "test")]
    assert sorted(np.concatenate(parts)) == clips_of_split(table, "all", 1).tolist()


def test_clips_that_were_trained_or_selected_on_are_counted(any_trained):
    counts = {
        split: num_seen(any_trained.checkpoint, any_trained.table, clips)
        for split in ("train", "val", "test", "all")
        for clips in [clips_of_split(any_trained.table, split, 1)]
    }
    num_train, num_val = (len(clips_of_split(any_trained.table, s, 1)) for s in ("train", "val"))
    assert counts == {
        "train": {"training": num_train, "validation": 0},
        "val": {"training": 0, "validation": num_val},
        "test": {"training": 0, "validation": 0},
        "all": {"training": num_train, "validation": num_val},
    }


def test_a_score_on_clips_that_chose_the_epoch_is_called_no_test_result(any_trained, cache):
    """The fold that is validated on is asked for as if it were a test: `--split test --fold 2`."""
    ask = partial(evaluation_request, any_trained.checkpoint, cache, {})
    assert ask("test", 1).notes == ()
    (said,) = ask("test", 2).notes
    assert "were in the validation set" in said
    assert "not a test result" in said


def test_classes_are_matched_by_name_not_by_number(any_trained, cache):
    """A data set that numbers the same classes the other way round is the same question."""
    table = any_trained.table
    last = len(table.labels) - 1
    clips = tuple(replace(clip, labels=(last - clip.label,)) for clip in table.clips)
    turned = ClipTable(clips, table.labels[::-1], table.folds)
    expected = evaluated(any_trained, table, "test", cache)
    found = evaluated(any_trained, turned, "test", cache)
    assert torch.equal(found.targets, expected.targets)
    assert found.metrics() == expected.metrics()


def test_labels_that_the_checkpoint_does_not_know_are_refused_by_name(any_trained, cache):
    table = relabelled(any_trained.table, ("whale", *any_trained.table.labels[1:]))
    with pytest.raises(DataError, match=r"1 labels .* whale; its classes are .*--known-only"):
        evaluated(any_trained, table, "test", cache)


def test_known_only_scores_the_other_clips_and_counts_those_left_out(any_trained, cache):
    table = relabelled(any_trained.table, ("whale", *any_trained.table.labels[1:]))
    whole = evaluated(any_trained, any_trained.table, "test", cache)
    found = evaluated(any_trained, table, "test", cache, known_only=True)
    is_known = whole.targets != 0
    assert found.skipped == {"whale": int((~is_known).sum())}
    assert torch.equal(found.targets, whole.targets[is_known])
    assert torch.allclose(found.logits, whole.logits[is_known], atol=1e-5)


def test_labels_of_the_checkpoint_that_no_clip_has_are_no_fault(any_trained, cache):
    first = [i for i, clip in enumerate(any_trained.table.clips) if clip.label == 3]
    checkpoint = any_trained.checkpoint
    clips = np.array(first)
    request = EvaluationRequest("one class", checkpoint.config.data, any_trained.table, clips)
    found = evaluate(checkpoint, request, cache)
    assert [row["label"] for row in found.per_class()] == [any_trained.table.labels[3]]
    assert found.accuracy_interval() is not None


def test_clips_without_any_known_label_are_refused_with_both_lists(any_trained, cache):
    names = tuple(f"whale {number}" for number in range(len(any_trained.table.labels)))
    with pytest.raises(DataError, match=r"no clip has a label .* whale 0.* and 5 more"):
        evaluated(any_trained, relabelled(any_trained.table, names), "test", cache, True)


def test_clips_of_several_labels_are_refused_by_a_checkpoint_that_gives_one(any_trained, cache):
    table = replace(any_trained.table, is_multi_label=True)
    with pytest.raises(DataError, match="several labels"):
        evaluated(any_trained, table, "test", cache)


def test_confusions_and_rows_are_of_the_same_clips(any_trained, cache):
    found = evaluated(any_trained, any_trained.table, "all", cache)
    rows = list(found.rows())
    wrong = [(truth, guess) for _, _, truth, guess, _ in rows if truth != guess]
    pairs = found.most_confused(1000)
    assert sum(count for *_, count in pairs) == len(wrong)
    assert {pair[:2] for pair in pairs} == set(wrong)
    assert [count for *_, count in pairs] == sorted((c for *_, c in pairs), reverse=True)
    assert sum(map(sum, found.confusion())) == len(rows)
    assert found.metrics()["accuracy"] == (len(rows) - len(wrong)) / len(rows)


def several(targets: torch.Tensor, logits: torch.Tensor) -> Evaluation:
    clips = tuple(Clip(f"c{i}", Path(), (0,), f"s{i}", fold=1) for i in range(len(targets)))
    return Evaluation(("a", "b", "c"), clips, logits, targets)


def test_clips_of_several_labels_have_their_labels_and_no_confusion():
    targets = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = several(targets, 8 * (targets - 0.5))
    assert found.is_multi_label
    assert found.confusion() is None
    assert found.most_confused(3) == []
    assert found.accuracy_interval() is None
    assert [row[2] for row in found.rows()] == ["a|b", "c"]
    assert [row["recall"] for row in found.per_class()] == [1.0, 1.0, 1.0]


def test_one_source_shows_no_spread():
    assert accuracy_interval([True, False], ["a", "a"]) is None


def test_the_interval_holds_the_accuracy_and_narrows_with_more_sources():
    widths = []
    for num_sources in (10, 1000):
        is_right = np.random.default_rng(0).random(num_sources) < 0.7
        low, high = accuracy_interval(is_right, [str(i) for i in range(num_sources)])
        assert low <= is_right.mean() <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5


def test_many_clips_of_one_recording_are_no_more_evidence_than_one():
    is_right = np.arange(20) % 3 > 0
    sources = [str(i) for i in range(20)]
    once = accuracy_interval(is_right, sources)
    copied = accuracy_interval(np.tile(is_right, 50), sources * 50)
    assert copied == pytest.approx(once)


def test_the_interval_is_the_normal_one_for_many_independent_clips():
    is_right = np.arange(4000) % 4 > 0
    low, high = accuracy_interval(is_right, [str(i) for i in range(4000)])
    half = 1.96 * (0.75 * 0.25 / 4000) ** 0.5
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.002)


def manifest(folder: Path, rows: list[tuple[str, ...]]) -> Path:
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "clips.csv"


def test_a_manifest_of_a_trials_clips_is_scored_as_the_data_set_is(any_trained, cache, tmp_path):
    test = [any_trained.table.clips[i] for i in clips_of_split(any_trained.table, "test", 1)]
    labels = any_trained.table.labels
    rows = [(str(clip.path), labels[clip.label], clip.source) for clip in test]
    table = read_manifest(manifest(tmp_path, [("path", "label", "source"), *rows]))
    found = evaluated(any_trained, table, "all", cache)
    expected = evaluated(any_trained, any_trained.table, "test", cache)
    assert torch.allclose(found.logits, expected.logits, atol=1e-5)
    assert found.sources == expected.sources
    assert found.accuracy_interval() == expected.accuracy_interval()


def test_paths_of_a_manifest_lie_beside_it_and_are_their_own_sources(tmp_path):
    write_wav(tmp_path / "a.wav", uniform_noise(100), 8000)
    table = read_manifest(manifest(tmp_path, [("path", "label"), ("a.wav", "bell")]))
    [clip] = table.clips
    assert (clip.path, clip.source, table.labels) == (tmp_path / "a.wav", "a.wav", ("bell",))


def test_a_manifest_with_faults_is_refused_with_all_of_them(tmp_path):
    write_wav(tmp_path / "a.wav", uniform_noise(100), 8000)
    rows = [("a.wav", ""), ("a.wav", "x"), ("gone.wav", "x"), ("", "x")]
    with pytest.raises(DataError) as raised:
        read_manifest(manifest(tmp_path, [("path", "label"), *rows]))
    for fault in ("4 faults", "label: is empty", "'a.wav' is on line 2", "no file 'gone.wav'"):
        assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (("path",), "no column 'label'"),
        (("path", "label", "fold"), "data.name=folder"),
        (("path", "label", "sorce"), "Did you mean 'source'"),
    ],
)
def test_a_manifest_of_other_columns_is_refused_with_what_to_do(tmp_path, header, fault):
    with pytest.raises(DataError, match=fault):
        read_manifest(manifest(tmp_path, [header]))


def test_a_manifest_of_another_tool_has_segments_and_several_labels(tmp_path):
    write_wav(tmp_path / "a.wav", uniform_noise(8000), 8000)
    rows = [("Filename", "Tags", "onset", "offset"), ("a.wav", "bell; dog", "0", "0.5")]
    table = read_manifest(manifest(tmp_path, rows), is_multi_label=True)
    assert table.labels == ("bell", "dog")
    assert [(c.id, c.segment, c.source) for c in table.clips] == [
        ("a.wav#0-0.5", (0.0, 0.5), "a.wav")
    ]


def test_a_manifest_that_is_none_is_refused_by_name(tmp_path):
    for content in (b"", b"\xff\xfe\x00", b"path,label\n"):
        (tmp_path / "clips.csv").write_bytes(content)
        with pytest.raises(DataError, match=r"clips\.csv"):
            read_manifest(tmp_path / "clips.csv")
    with pytest.raises(DataError, match=r"absent\.csv"):
        read_manifest(tmp_path / "absent.csv")
