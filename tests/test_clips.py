import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from audiocls.audio import clip_content
from audiocls.audio.clips import Clip, ClipTable, InvalidClipTable, fingerprint, violations
from audiocls.audio.grouping import grouped_folds
from audiocls.errors import DataError


def table(num_clips: int = 20, root: Path = Path(), folds: int = 5) -> ClipTable:
    """Two clips a source, sources dealt to the folds in turn."""
    clips = tuple(
        Clip(f"{i}.wav", root / f"{i}.wav", (i % 2,), f"s{i // 2}", fold=i // 2 % folds + 1)
        for i in range(num_clips)
    )
    return ClipTable(clips, ("cat", "dog"), tuple(range(1, folds + 1)))


@pytest.fixture
def on_disk(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    for i in range(20):
        (root / f"{i}.wav").write_bytes(bytes([i]) * 100)
    return table(root=root)


@pytest.mark.parametrize("fold", [1, 2, 3, 4, 5])
def test_a_fold_tests_the_next_validates_and_the_rest_trains(fold):
    data = table()
    split = data.split(fold)
    assert {data.clips[i].fold for i in split.test} == {fold}
    assert {data.clips[i].fold for i in split.val} == {fold % 5 + 1}
    everything = np.concatenate([split.train, split.val, split.test])
    assert sorted(everything) == list(range(20))


def test_over_all_folds_each_clip_is_tested_once():
    tested = np.concatenate([table().split(fold).test for fold in table().folds])
    assert sorted(tested) == list(range(20))


def test_sources_never_straddle_a_split():
    split = table().split(2)
    sources = [{table().clips[i].source for i in part} for part in (split.train, split.val)]
    assert not sources[0] & sources[1]


def test_official_lists_are_taken_as_given():
    clips = tuple(
        Clip(str(i), Path(str(i)), (0,), str(i), split=part)
        for i, part in enumerate(["train", "test", "train", "val"])
    )
    split = ClipTable(clips, ("a",), (1,)).split(1)
    assert [list(part) for part in (split.train, split.val, split.test)] == [[0, 2], [3], [1]]


def test_a_fold_that_does_not_exist_names_those_that_do():
    with pytest.raises(DataError, match="no fold 6; this data set has 1, 2, 3, 4, 5"):
        table().split(6)


def test_two_folds_leave_nothing_to_train_on():
    with pytest.raises(DataError, match="no clips for train"):
        table(folds=2).split(1)


def test_straddling_sources_are_named():
    good = table().clips
    moved = Clip("new.wav", Path("new.wav"), (0,), "s0", fold=3)
    with pytest.raises(DataError, match=r"1 sources have clips in more than one fold.*: s0\."):
        ClipTable((*good, moved), ("cat", "dog"), (1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("clip", "fault"),
    [
        (Clip("0.wav", Path(), (0,), "x", fold=1), "more than once: 0.wav"),
        (Clip("n", Path(), (2,), "x", fold=1), "1 clips have a label outside"),
        (Clip("n", Path(), (0,), "x"), "not exactly one"),
        (Clip("n", Path(), (0,), "x", fold=9), "a fold in"),
        (Clip("n", Path(), (0,), "x", split="train"), "a split in"),
    ],
)
def test_an_unsound_table_cannot_be_made(clip, fault):
    with pytest.raises(DataError, match=fault):
        ClipTable((*table().clips, clip), ("cat", "dog"), (1, 2, 3, 4, 5))


def several(*labels: tuple[int, ...]) -> ClipTable:
    clips = [Clip(str(i), Path(), each, str(i), fold=i + 1) for i, each in enumerate(labels)]
    return ClipTable(tuple(clips), ("a", "b", "c"), (1, 2, 3), is_multi_label=True)


def test_targets_are_class_numbers_or_a_one_for_each_class():
    assert table(4).targets().tolist() == [0, 1, 0, 1]
    assert table(4).targets().dtype == np.int64
    assert several((0, 2), (1,)).targets().tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("labels", [(), (1, 0), (1, 1), (0, 3), (-1, 0)])
def test_labels_are_ascending_without_doubles_within_the_classes_and_at_least_one(labels):
    with pytest.raises(DataError, match="not one or more labels in ascending order"):
        several((0,), labels)


def test_two_labels_need_a_multi_label_table_and_have_no_single_label():
    both = Clip("n", Path(), (0, 1), "x", fold=1)
    with pytest.raises(DataError, match="not exactly one label"):
        ClipTable((both,), ("cat", "dog"), (1,))
    with pytest.raises(ValueError, match="too many values"):
        _ = both.label


def test_all_faults_of_a_table_are_told_at_once_and_its_clips_are_kept_for_examination():
    wrong = (*table().clips, Clip("0.wav", Path(), (5,), "s0"))
    with pytest.raises(InvalidClipTable) as raised:
        ClipTable(wrong, ("cat", "dog"), (1, 2, 3, 4, 5))
    assert set(violations(raised.value.listed)) == {
        "doubled",
        "mislabelled",
        "misplaced",
        "leaking",
    }
    assert str(raised.value).count("\n") == 3
    assert raised.value.listed.clips == wrong
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.listed.clips) == (str(raised.value), wrong)


def test_a_second_label_is_other_data(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    first, second = (
        ClipTable((Clip("a", path, labels, "a", fold=1),), ("x", "y"), (1,), is_multi_label=True)
        for labels in ((0,), (0, 1))
    )
    assert fingerprint(first, tmp_path) != fingerprint(second, tmp_path)


def test_an_empty_table_cannot_be_made():
    with pytest.raises(DataError, match="no clips"):
        ClipTable((), (), (1,))


def test_a_fingerprint_is_16_hex_digits_and_repeats(on_disk, tmp_path):
    first = fingerprint(on_disk, tmp_path / "a")
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert fingerprint(on_disk, tmp_path / "a") == fingerprint(on_disk, tmp_path / "b") == first


def test_one_byte_changes_the_fingerprint_even_with_a_warm_memo(on_disk, tmp_path):
    before = fingerprint(on_disk, tmp_path)
    path = on_disk.clips[7].path
    path.write_bytes(b"!" + path.read_bytes()[1:])
    os.utime(path, ns=(1, 1))
    assert fingerprint(on_disk, tmp_path) != before


def test_moving_the_root_does_not(on_disk, tmp_path):
    moved = shutil.copytree(on_disk.clips[0].path.parent, tmp_path / "elsewhere")
    assert fingerprint(on_disk, tmp_path) == fingerprint(table(root=moved), tmp_path)


@pytest.mark.parametrize("change", ["labels", "fold", "order"])
def test_labels_folds_and_order_belong_to_the_fingerprint(on_disk, tmp_path, change):
    clips = on_disk.clips
    other = {
        "labels": ClipTable(clips, ("cat", "cow"), on_disk.folds),
        "fold": table(root=clips[0].path.parent, folds=4),
        "order": ClipTable(clips[::-1], on_disk.labels, on_disk.folds),
    }[change]
    assert fingerprint(other, tmp_path) != fingerprint(on_disk, tmp_path)


def test_the_second_fingerprint_only_stats(on_disk, tmp_path, monkeypatch):
    first = fingerprint(on_disk, tmp_path)
    monkeypatch.setattr(clip_content, "_digest", lambda *_: pytest.fail("read the files"))
    assert fingerprint(on_disk, tmp_path) == first


def test_a_damaged_memo_is_computed_again(on_disk, tmp_path):
    first = fingerprint(on_disk, tmp_path)
    for memo in (tmp_path / "fingerprints").iterdir():
        memo.write_text('{"finge')
    assert fingerprint(on_disk, tmp_path) == first


def test_missing_files_are_counted_and_named(on_disk, tmp_path):
    for i in range(8):
        (on_disk.clips[i].path).unlink()
    with pytest.raises(DataError, match=r"8 of 20 audio files are missing: .*0\.wav.* and 3 more"):
        fingerprint(on_disk, tmp_path)


def test_dealt_folds_keep_sources_whole_and_classes_even():
    rng = np.random.default_rng(0)
    sources = [f"s{i}" for i in rng.integers(0, 60, 300)]
    labels = [f"c{int(source[1:]) % 3}" for source in sources]
    folds = grouped_folds(sources, labels, 5)
    assert all(
        len({fold for fold, other in zip(folds, sources, strict=True) if other == source}) == 1
        for source in sources
    )
    for label in ("c0", "c1", "c2"):
        counts = np.bincount([f for f, x in zip(folds, labels, strict=True) if x == label])[1:]
        assert counts.max() - counts.min() <= 0.25 * counts.mean()


def test_dealt_folds_do_not_depend_on_the_order_of_the_clips():
    sources = [f"s{i // 3}" for i in range(60)]
    labels = [f"c{i // 3 % 4}" for i in range(60)]
    order = np.random.default_rng(1).permutation(60)
    straight = grouped_folds(sources, labels, 5)
    mixed = grouped_folds([sources[i] for i in order], [labels[i] for i in order], 5)
    assert [straight[i] for i in order] == mixed


def test_too_few_sources_cannot_be_dealt():
    with pytest.raises(DataError, match="2 sources cannot be spread over 5 folds"):
        grouped_folds(["a", "b"], ["x", "y"], 5)
