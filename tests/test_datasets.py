import csv
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from helpers.audio import RECORDINGS, needs_recordings
from pydantic import TypeAdapter, ValidationError

from audiocls.audio.clips import fingerprint
from audiocls.audio.datasets import (
    ESC50,
    AudioSet,
    DataSet,
    Folder,
    SpeechCommands,
    Synthetic,
    UrbanSound8K,
)
from audiocls.audio.decode import decode
from audiocls.errors import DataError

SMALL = Synthetic(num_sources=5, clips_per_source=2)


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode())
    return path


def manifest(root: Path, text: str, files: tuple[str, ...] = ()) -> Folder:
    for file in files:
        touched(root / file)
    (root / "manifest.csv").write_text(text)
    return Folder(root=str(root))


@pytest.mark.parametrize(
    ("name", "sample_rate", "duration_s"),
    [
        ("synthetic", 16000, 1.0),
        ("esc50", 16000, 5.0),
        ("urbansound8k", 22050, 4.0),
        ("speechcommands", 16000, 1.0),
        ("audioset", 22050, 10.0),
        ("folder", 16000, 1.0),
    ],
)
def test_the_union_picks_by_name_and_round_trips(name, sample_rate, duration_s):
    registry = TypeAdapter(DataSet)
    data = registry.validate_python({"name": name})
    assert data.name == name
    assert (data.sample_rate, data.duration_s) == (sample_rate, duration_s)
    assert registry.validate_json(registry.dump_json(data)) == data


def test_the_number_of_folds_is_known_without_reading_where_it_is_official():
    parts = (ESC50(), Synthetic(), UrbanSound8K(), SpeechCommands(), AudioSet(), Folder())
    assert [part.num_folds for part in parts] == [5, 5, 10, 1, 1, None]


def test_only_audioset_has_several_labels_a_clip():
    parts = (ESC50(), Synthetic(), UrbanSound8K(), SpeechCommands(), AudioSet(), Folder())
    assert [part.name for part in parts if part.is_multi_label] == ["audioset"]


@pytest.mark.parametrize("wrong", [{"duration_s": 0}, {"sample_rate": 0}, {"words": ["a"]}])
def test_values_out_of_range_and_options_of_others_are_refused(wrong):
    with pytest.raises(ValidationError):
        ESC50(**wrong)


def test_a_root_has_no_effect_on_synthetic_and_is_refused():
    with pytest.raises(ValidationError, match="root"):
        Synthetic(root="somewhere")


@pytest.mark.parametrize("part", [ESC50, UrbanSound8K, SpeechCommands, AudioSet, Folder])
def test_a_missing_root_says_how_to_give_one(part, tmp_path):
    with pytest.raises(DataError, match=r"--set data\.root=DIR"):
        part().table(tmp_path)
    with pytest.raises(DataError, match=r"not a folder; --set data\.root=DIR"):
        part(root=str(tmp_path / "nowhere")).table(tmp_path)
    with pytest.raises(DataError, match=r"should hold .* --set data\.root=DIR"):
        part(root=str(tmp_path)).table(tmp_path)


@needs_recordings
def test_esc10_has_ten_classes_of_forty_clips_in_five_folds(tmp_path):
    table = ESC50(root=str(RECORDINGS / "esc10")).table(tmp_path)
    assert len(table.clips) == 400
    assert table.folds == (1, 2, 3, 4, 5)
    assert table.labels[:3] == ("dog", "rooster", "rain")
    assert np.all(np.bincount([clip.label for clip in table.clips]) == 40)
    split = table.split(5)
    assert [len(part) for part in (split.train, split.val, split.test)] == [240, 80, 80]
    assert {table.clips[i].fold for i in split.val} == {1}
    assert decode(table.clips[0].path).sample_rate == 44100


@needs_recordings
def test_spoken_digits_are_split_by_speaker(tmp_path):
    table = SpeechCommands(root=str(RECORDINGS / "fsdd")).table(tmp_path)
    split = table.split(1)
    assert len(table.labels) == 10
    assert [len(part) for part in (split.train, split.val, split.test)] == [400, 100, 100]
    speakers = [
        {table.clips[i].source for i in part} for part in (split.train, split.val, split.test)
    ]
    assert [len(group) for group in speakers] == [4, 1, 1]
    assert len(set.union(*speakers)) == 6


def test_esc50_in_a_folder_inside_the_root_is_found_and_esc10_is_a_part_of_it(tmp_path):
    inner = tmp_path / "ESC-50-master"
    (inner / "meta").mkdir(parents=True)
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    rows += [f"{f}-{t}.wav,{f},{t},class{t},{t > 10},{f}{t},A" for f in (1, 2, 3) for t in (40, 7)]
    (inner / "meta" / "esc50.csv").write_text("\n".join(rows))
    table = ESC50(root=str(tmp_path)).table(tmp_path)
    assert table.labels == ("class7", "class40")
    assert table.clips[0].label == 1
    assert table.clips[0].path == inner / "audio" / "1-40.wav"
    only = ESC50(root=str(inner), classes="esc10").table(tmp_path)
    assert only.labels == ("class40",)
    assert len(only.clips) == 3


def test_faults_of_esc50s_table_are_reported_at_once(tmp_path):
    (tmp_path / "meta").mkdir()
    text = "filename,fold,target,category,esc10,src_file\na.wav,one,0,dog,True,1\nb.wav,2,,,True,\n"
    (tmp_path / "meta" / "esc50.csv").write_text(text)
    with pytest.raises(DataError) as raised:
        ESC50(root=str(tmp_path)).table(tmp_path)
    for fault in ("4 faults", "line 2, fold: got 'one'", "line 3, target", "line 3, src_file"):
        assert fault in str(raised.value)


@pytest.fixture
def commands(tmp_path) -> Path:
    root = tmp_path / "SpeechCommands" / "speech_commands_v0.02"
    for word in ("yes", "no", "up"):
        for speaker in ("aa", "bb", "cc"):
            touched(root / word / f"{speaker}_nohash_0.wav")
    touched(root / "_background_noise_" / "hum.wav")
    (root / "validation_list.txt").write_text("".join(f"{w}/bb_nohash_0.wav\n" for w in WORDS))
    (root / "testing_list.txt").write_text("".join(f"{w}/cc_nohash_0.wav\n" for w in WORDS))
    return root


WORDS = ("yes", "no", "up")


@pytest.mark.parametrize("up", [0, 1, 2])
def test_speech_commands_are_found_from_each_of_three_folders(commands, up, tmp_path):
    root = [commands, commands.parent, commands.parent.parent][up]
    table = SpeechCommands(root=str(root)).table(tmp_path)
    assert table.labels == ("no", "up", "yes")
    assert table.clips[0].id == "no/aa_nohash_0.wav"
    assert [clip.split for clip in table.clips[:3]] == ["train", "val", "test"]


def test_words_pick_classes_and_unknown_ones_suggest(commands, tmp_path):
    assert SpeechCommands(root=str(commands), words=("yes", "no")).table(tmp_path).labels == (
        "no",
        "yes",
    )
    with pytest.raises(DataError, match=r"'yess'.* Did you mean 'yes'"):
        SpeechCommands(root=str(commands), words=("yess",)).table(tmp_path)


def test_listed_clips_that_are_not_there_are_named(commands, tmp_path):
    (commands / "up" / "cc_nohash_0.wav").unlink()
    with pytest.raises(DataError, match=r"1 clips that are not there: up/cc_nohash_0\.wav"):
        SpeechCommands(root=str(commands)).table(tmp_path)


def test_a_manifest_with_lists_is_taken_as_given(tmp_path):
    text = "path,label,split\na/1.wav,cat,train\n\na/2.wav,dog,validation\na/3.wav,cat,TEST\n"
    table = manifest(tmp_path, text, ("a/1.wav", "a/2.wav", "a/3.wav")).table(tmp_path)
    assert table.labels == ("cat", "dog")
    assert table.folds == (1,)
    assert [clip.split for clip in table.clips] == ["train", "val", "test"]
    assert [clip.source for clip in table.clips] == ["a/1.wav", "a/2.wav", "a/3.wav"]


def test_a_manifest_with_folds_has_those(tmp_path):
    text = "label,path,fold,source\n" + "".join(f"x,{i}.wav,{i + 1},s{i}\n" for i in range(3))
    table = manifest(tmp_path, text, ("0.wav", "1.wav", "2.wav")).table(tmp_path)
    assert table.folds == (1, 2, 3)
    assert [clip.source for clip in table.clips] == ["s0", "s1", "s2"]


def test_a_manifest_with_neither_gets_five_folds_of_whole_sources(tmp_path):
    files = tuple(f"{i}.wav" for i in range(20))
    text = "path,label,source\n" + "".join(f"{i}.wav,c{i // 2 % 2},s{i // 2}\n" for i in range(20))
    table = manifest(tmp_path, text, files).table(tmp_path)
    assert table.folds == (1, 2, 3, 4, 5)
    for fold in table.folds:
        assert {table.clips[i].label for i in table.split(fold).test} == {0, 1}


def test_all_faults_of_a_manifest_are_reported_at_once(tmp_path):
    text = "path,label,fold\na.wav,cat,1\na.wav,,0\n/b.wav,dog,two\nnone.wav,dog,3,extra\n"
    with pytest.raises(DataError) as raised:
        manifest(tmp_path, text, ("a.wav",)).table(tmp_path)
    for fault in (
        "7 faults",
        "line 3, path: 'a.wav' is on line 2 already",
        "line 3, label: is empty",
        "line 3, fold: got '0', allowed is a whole number from 1",
        "line 4, path: got '/b.wav', allowed is a path relative to the manifest",
        "line 4, fold: got 'two'",
        "line 5, path: there is no file 'none.wav'",
        "line 5, end: got 'extra' beyond the last column",
    ):
        assert fault in str(raised.value)


def test_paths_that_begin_above_the_manifest_are_told_where_to_begin(tmp_path):
    folder = tmp_path.name
    with pytest.raises(DataError, match=f"leave out '{folder}/', for paths begin there"):
        manifest(tmp_path, f"path,label\n{folder}/a.wav,cat\n", ("a.wav",)).table(tmp_path)


def test_at_most_twenty_faults_are_shown_and_the_rest_counted(tmp_path):
    text = "path,label\n" + "".join(f"{i}.wav,x\n" for i in range(50))
    with pytest.raises(DataError, match="50 faults") as raised:
        manifest(tmp_path, text).table(tmp_path)
    assert str(raised.value).count("there is no file") == 20
    assert "… and 30 more" in str(raised.value)


def test_wrong_columns_of_a_manifest_are_named_and_the_nearest_suggested(tmp_path):
    with pytest.raises(DataError) as raised:
        manifest(tmp_path, "path,lable,split,fold\n").table(tmp_path)
    assert "there is no column 'label'" in str(raised.value)
    assert "Did you mean 'label'?" in str(raised.value)
    assert "'split' and 'fold': give one of them" in str(raised.value)


def test_synthetic_puts_all_classes_in_every_fold_and_keeps_sources_whole(tmp_path):
    table = SMALL.table(tmp_path)
    assert len(table.clips) == 100
    assert len(table.labels) == 10
    for fold in table.folds:
        assert len({table.clips[i].label for i in table.split(fold).test}) == 10


def test_synthetic_is_in_esc50s_layout_at_16_khz(tmp_path):
    table = SMALL.table(tmp_path)
    root = table.clips[0].path.parents[1]
    with (root / "meta" / "esc50.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 100
    assert ESC50(root=str(root)).table(tmp_path) == table
    sound = decode(table.clips[0].path)
    assert sound.sample_rate == 16000
    assert len(sound.samples) == 16000


def test_the_same_options_give_the_same_bytes_and_another_seed_does_not(tmp_path):
    prints = [
        fingerprint(data.table(tmp_path / cache), tmp_path)
        for data, cache in [(SMALL, "a"), (SMALL, "b"), (SMALL.model_copy(update={"seed": 1}), "a")]
    ]
    assert prints[0] == prints[1] != prints[2]


def test_a_lower_rate_or_a_shorter_clip_hears_the_same_recordings(tmp_path):
    other = SMALL.model_copy(update={"sample_rate": 8000, "duration_s": 0.5})
    assert other.table(tmp_path) == SMALL.table(tmp_path)


def _make(cache: str) -> int:
    return len(SMALL.table(Path(cache)).clips)


def test_two_processes_at_once_make_one_whole_data_set(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_make, [str(tmp_path)] * 2, chunksize=1) == [100, 100]
    whole = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(whole) == 1
    assert len(list((whole[0] / "audio").iterdir())) == 100
    assert all(len(decode(clip.path).samples) == 16000 for clip in SMALL.table(tmp_path).clips)


@needs_recordings
@pytest.mark.parametrize(
    ("data", "known"),
    [
        (ESC50(root=str(RECORDINGS / "esc10")), "09071bc5cf393653"),
        (SpeechCommands(root=str(RECORDINGS / "fsdd")), "80d867c0e18e214a"),
    ],
    ids=["esc10", "digits"],
)
def test_the_fingerprint_of_data_trained_on_before_has_not_changed(data, known, tmp_path):
    assert fingerprint(data.table(tmp_path), tmp_path) == known
