from pathlib import Path

import numpy as np
import pytest

from audiocls.audio.clips import Clip, ClipTable
from audiocls.audio.dataset import sampling_weights
from audiocls.audio.datasets import AudioSet
from audiocls.errors import DataError

MIDS = {"/m/09x0r": "Speech", "/m/04rlf": "Music", "/t/dd00088": "Gush"}
HEADER = (
    "# Segments csv created Sun Mar  5 10:54:25 2017\n# num_ytids=3\n# YTID, start, end, labels\n"
)
TRAINING = [f"train{i:06d}" for i in range(40)]
EVALUATION = ["-0RWZT-miFs", "Yeval_00001", "eval_000002"]


def line(video: str, *mids: str, start: float = 30) -> str:
    return f'{video}, {start:.3f}, {start + 10:.3f}, "{",".join(mids)}"\n'


def segments(path: Path, lines) -> None:
    path.write_text(HEADER + "".join(lines))


@pytest.fixture
def root(tmp_path) -> Path:
    rows = [f'{i},{mid},"{name}"\n' for i, (mid, name) in enumerate(MIDS.items())]
    (tmp_path / "class_labels_indices.csv").write_text("index,mid,display_name\n" + "".join(rows))
    balanced = [line(video, "/m/04rlf", "/m/09x0r") for video in TRAINING]
    segments(tmp_path / "balanced_train_segments.csv", balanced)
    segments(tmp_path / "eval_segments.csv", [line(video, "/t/dd00088") for video in EVALUATION])
    (tmp_path / "audio").mkdir()
    for video in (*TRAINING, *EVALUATION):
        (tmp_path / "audio" / f"{video}.wav").touch()
    return tmp_path


def table_of(root: Path, **options):
    return AudioSet(root=str(root), **options).table(root)


def by_id(table):
    return {clip.id: clip for clip in table.clips}


def test_a_clip_has_all_its_labels_ascending_and_targets_are_multi_hot(root):
    table = table_of(root)
    assert by_id(table)["train000000_30"].labels == (0, 1)
    assert by_id(table)["-0RWZT-miFs_30"].labels == (2,)
    assert table.is_multi_label
    targets = table.targets()
    assert targets.dtype == np.float32
    assert targets.shape == (43, 3)
    assert [tuple(np.flatnonzero(row)) for row in targets] == [c.labels for c in table.clips]


def test_evaluation_segments_test_and_a_share_of_the_training_videos_validates(root):
    table = table_of(root, val_percent=30)
    split = table.split(1)
    assert {table.clips[i].source for i in split.test} == set(EVALUATION)
    assert {table.clips[i].source for i in [*split.train, *split.val]} == set(TRAINING)
    assert 5 <= len(split.val) <= 19  # 12 expected of 40


def test_a_larger_share_only_moves_videos_from_training_to_validation(root):
    few, many = (
        {c.id for c in table_of(root, val_percent=percent).clips if c.split == "val"}
        for percent in (20, 60)
    )
    assert few < many


def test_a_videos_side_does_not_depend_on_the_list_it_came_from(root):
    small = by_id(table_of(root, val_percent=30))
    for list_ in ("balanced_train", "unbalanced_train"):
        half = TRAINING[::2] if list_ == "balanced_train" else TRAINING[1::2]
        segments(root / f"{list_}_segments.csv", [line(video, "/m/09x0r") for video in half])
    both = by_id(table_of(root, val_percent=30, train_list="all"))
    assert {id_: clip.split for id_, clip in both.items()} == {
        id_: clip.split for id_, clip in small.items()
    }


@pytest.mark.parametrize(
    "file",
    [
        "audio/-0RWZT-miFs.flac",
        "audio/Y-0RWZT-miFs.ogg",
        "audio/-0RWZT-miFs_30.mp3",
        "audio/-0RWZT-miFs_30.000.WAV",
        "audio/eval/deeper/-0RWZT-miFs.wav",
        "eval_segments/part00/Y-0RWZT-miFs.wav",
    ],
)
def test_files_are_found_by_each_usual_name_and_place(root, file):
    (root / "audio" / "-0RWZT-miFs.wav").unlink()
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).touch()
    assert by_id(table_of(root))["-0RWZT-miFs_30"].path == root / file


def test_a_video_that_begins_with_a_y_is_not_taken_for_another(root):
    (root / "audio" / "Yeval_00001.wav").rename(root / "audio" / "YYeval_00001.wav")
    assert by_id(table_of(root))["Yeval_00001_30"].path.name == "YYeval_00001.wav"


def test_missing_segments_are_refused_with_their_number_and_the_way_out(root):
    (root / "audio" / "train000003.wav").unlink()
    with pytest.raises(DataError, match=r"1 of 43 .*train000003_30.*--set data\.missing=leave_out"):
        table_of(root)


def test_missing_segments_are_left_out_only_when_asked_and_named_then(root):
    whole = table_of(root)
    (root / "audio" / "train000003.wav").unlink()
    table = table_of(root, missing="leave_out")
    assert table.left_out == ("train000003_30",)
    assert set(by_id(whole)) - set(by_id(table)) == set(table.left_out)


def test_no_sound_at_all_is_refused_even_so(root):
    for path in (root / "audio").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="43 of 43 listed segments have no audio file"):
        table_of(root, missing="leave_out")


def test_two_files_for_one_segment_are_refused(root):
    (root / "audio" / "train000000.flac").touch()
    with pytest.raises(DataError, match="are called the same; keep one"):
        table_of(root)


def test_a_video_on_a_training_and_the_evaluation_list_is_refused(root):
    with (root / "eval_segments.csv").open("a") as file:
        file.write(line(TRAINING[0], "/m/09x0r", start=90))
    with pytest.raises(DataError, match=f"1 sources have clips in more than one.*{TRAINING[0]}"):
        table_of(root)


def test_all_faults_of_a_list_are_told_at_once(root):
    lines = ["video, 0.000, 10.000, /m/09x0r, /m/04rlf\n", line("other", "/m/none", start=1)]
    lines.append('third, soon, 10.000, "/m/09x0r"\n')
    segments(root / "eval_segments.csv", lines)
    with pytest.raises(DataError) as raised:
        table_of(root)
    for fault in (
        "3 faults",
        "line 4: got 5 cells",
        "line 5, labels: '/m/none' is not in class_labels_indices.csv",
        "line 6, start_seconds: got 'soon'",
    ):
        assert fault in str(raised.value)


def test_a_list_that_is_not_there_says_how_to_get_it(root):
    with pytest.raises(DataError, match=r"unbalanced_train_segments.*audiocls data fetch audioset"):
        table_of(root, train_list="all")


def weighted(*labels: tuple[int, ...]) -> ClipTable:
    clips = [Clip(str(i), Path(), each, str(i), fold=1) for i, each in enumerate(labels)]
    return ClipTable(tuple(clips), ("a", "b", "c"), (1,), is_multi_label=True)


def test_drawing_by_weight_makes_all_classes_of_single_labels_equally_likely():
    rng = np.random.default_rng(0)
    table = weighted(*[(int(label),) for label in rng.choice(3, 200, p=[0.7, 0.25, 0.05])])
    weights = sampling_weights(table)
    np.testing.assert_allclose(weights @ table.targets(), [1, 1, 1])


def test_a_weight_is_the_sum_over_labels_of_one_over_their_clips():
    table = weighted((0,), (0, 1), (0, 1, 2), (1,))
    expected = (table.targets() / table.targets().sum(0)).sum(1)
    np.testing.assert_allclose(sampling_weights(table), expected)


def test_only_the_clips_drawn_from_are_counted():
    table = weighted((0,), (0,), (1,), (1,), (1,))
    np.testing.assert_allclose(sampling_weights(table, np.array([0, 2, 3])), [1, 0.5, 0.5])
