import csv
from pathlib import Path

import pytest

from audiocls.audio.datasets import UrbanSound8K
from audiocls.audio.datasets.urbansound8k import META
from audiocls.errors import DataError

HEADER = ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")
CLASSES = ("air_conditioner", "car_horn", "children_playing")


def row(fold: int, class_id: int, fs_id: int, slice_: int = 0) -> tuple:
    name = f"{fs_id}-{class_id}-0-{slice_}.wav"
    return (name, fs_id, 0.5, 4.5, 1, fold, class_id, CLASSES[class_id])


def written(root: Path, rows) -> UrbanSound8K:
    (root / "metadata").mkdir(parents=True)
    with (root / META).open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return UrbanSound8K(root=str(root))


ROWS = [row(fold, c, 100 * fold + c, s) for fold in range(1, 11) for c in (2, 0) for s in (0, 1)]


def test_the_ten_official_folds_are_kept_and_validation_is_the_next(tmp_path):
    table = written(tmp_path, ROWS).table(tmp_path)
    assert table.folds == tuple(range(1, 11))
    assert [clip.fold for clip in table.clips] == [r[5] for r in ROWS]
    split = table.split(10)
    assert {table.clips[i].fold for i in split.test} == {10}
    assert {table.clips[i].fold for i in split.val} == {1}


def test_classes_are_in_the_order_of_the_official_numbers(tmp_path):
    table = written(tmp_path, ROWS).table(tmp_path)
    assert table.labels == ("air_conditioner", "children_playing")
    assert {table.labels[c.label] for c in table.clips if "-2-0-" in c.id} == {"children_playing"}


def test_files_lie_in_the_folder_of_their_fold_here_or_one_folder_in(tmp_path):
    written(tmp_path / "UrbanSound8K", ROWS)
    table = UrbanSound8K(root=str(tmp_path)).table(tmp_path)
    assert table.clips[0].path == tmp_path / "UrbanSound8K" / "audio" / "fold1" / "102-2-0-0.wav"


def test_its_defaults_are_22050_hz_and_four_seconds():
    assert (UrbanSound8K().sample_rate, UrbanSound8K().duration_s) == (22050, 4.0)
    assert UrbanSound8K().num_folds == 10


def test_a_recording_whose_slices_lie_in_two_folds_is_refused_by_name(tmp_path):
    moved = row(7, 0, 100, slice_=9)
    with pytest.raises(DataError, match=r"1 sources have clips in more than one fold.*: 100\."):
        written(tmp_path, [*ROWS, moved, row(1, 0, 100)]).table(tmp_path)


def test_all_faults_of_the_list_are_told_at_once(tmp_path):
    wrong = [(*row(1, 0, 1)[:5], "one", 0, "air_conditioner"), (*row(1, 0, 2)[:7], "siren")]
    with pytest.raises(DataError) as raised:
        written(tmp_path, wrong).table(tmp_path)
    for fault in ("2 faults", "line 2, fold: got 'one'", "line 3, class: classID 0 is 'siren'"):
        assert fault in str(raised.value)


def test_an_eleventh_fold_is_refused(tmp_path):
    with pytest.raises(DataError, match="fold 11: allowed are 1 to 10"):
        written(tmp_path, [*ROWS, row(11, 0, 5)]).table(tmp_path)
