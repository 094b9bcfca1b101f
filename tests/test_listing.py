"""Which files are clips, and which spellings mean one: the same answer wherever it is needed."""

import csv
import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from helpers.audio import uniform_noise, write_wav

from audiocls.audio.augment.background import open_background
from audiocls.audio.check import check
from audiocls.audio.datasets import ESC50, DataSet, Folder, SpeechCommands, UrbanSound8K
from audiocls.audio.datasets.folder import write_manifest
from audiocls.audio.listing import SUFFIXES, FileFinder, list_clips, look_alikes, normalised
from audiocls.audio.unlabelled import unlabelled_table
from audiocls.errors import DataError
from audiocls.training.manifest import read_manifest
from audiocls.training.predict import audio_files

RATE = 8000
NFC, NFD = (unicodedata.normalize(form, "étourneau") for form in ("NFC", "NFD"))


def clip(path: Path, seed: int = 0) -> Path:
    return write_wav(path, uniform_noise(400, peak=0.3, seed=seed), RATE)


def findings(data: DataSet, cache: Path) -> dict[str, str]:
    return {f.kind: f.text for f in check(data, cache, lambda done, total: None).findings}


@pytest.fixture
def mixed(tmp_path) -> Path:
    """Two clips, and much that looks like one."""
    root = tmp_path / "mixed"
    clip(root / "b" / "LOUD.WAV"), clip(root / "a.wav")
    for hidden in ("._a.wav", ".hidden.wav", "b/._LOUD.WAV", ".trash/x.wav", "__MACOSX/._a.wav"):
        (root / hidden).parent.mkdir(exist_ok=True)
        (root / hidden).write_bytes(b"\0\5\x16\7")
    (root / "notes.txt").write_text("no sound")
    (root / "phone.m4a").write_bytes(b"x")
    (root / "gone.wav").symlink_to("nowhere")
    shutil.copy(root / "a.wav", Path(os.fsdecode(os.fsencode(root) + b"/bad\xff.wav")))
    return root


def test_hidden_files_are_no_clips_and_what_looks_like_sound_is_named(mixed):
    listing = list_clips(mixed)
    assert listing.files == (mixed / "a.wav", mixed / "b" / "LOUD.WAV")
    assert len(listing.passed_over) == 3
    for word in ("phone.m4a", "gone.wav", r"bad\xff.wav"):
        assert any(word in each for each in listing.passed_over)
    (remark,) = listing.remarks()
    remark.text.encode()


def test_noise_pre_training_and_prediction_take_the_same_files(mixed):
    listing = list_clips(mixed)
    assert audio_files(mixed) == listing
    assert tuple(c.path for c in unlabelled_table(mixed).clips) == listing.files
    assert unlabelled_table(mixed).remarks == listing.remarks()
    assert len(open_background(mixed, RATE)) == 800


def test_what_libsndfile_reads_is_a_clip_in_any_case(tmp_path):
    names = [f"a{i}{suffix.upper()}" for i, suffix in enumerate(sorted(SUFFIXES))]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in list_clips(tmp_path).files] == sorted(names)


def commands(root: Path, ending: str = "WAV") -> SpeechCommands:
    """Two words of ten speakers, one of them recorded by a device that writes capitals."""
    lists: dict[str, list[str]] = {"validation_list.txt": [], "testing_list.txt": []}
    for k, word in enumerate(("no", NFD)):
        for speaker in range(10):
            name = f"{speaker:08x}_nohash_0.{ending if word == 'no' else 'wav'}"
            clip(root / word / name, seed=10 * k + speaker)
            for at, file in ((8, "validation_list.txt"), (9, "testing_list.txt")):
                line = f"{word}/{name}" if word == "no" else f"{NFC}/{name}"
                lists[file] += [line.replace(".WAV", ".wav")] if speaker == at else []
    for file, lines in lists.items():
        (root / file).write_text("\r\n".join(lines) + "\n", encoding="utf-8-sig")
    return SpeechCommands(root=str(root))


def test_words_are_found_whatever_the_case_of_their_endings_and_the_form_of_their_names(tmp_path):
    data = commands(tmp_path / "sc")
    (tmp_path / "sc" / "no" / "._x.wav").write_bytes(b"x")
    table = data.table(tmp_path)
    assert table.labels == ("no", NFC)
    assert [c.split for c in table.clips].count("train") == 16
    assert [c.split for c in table.clips].count("test") == 2
    assert findings(data, tmp_path / "cache") == {}


def test_list_lines_of_words_without_clips_are_counted(tmp_path):
    data = commands(tmp_path / "sc")
    with (tmp_path / "sc" / "testing_list.txt").open("a") as file:
        file.write("cat/00000001_nohash_0.wav\ndog/00000001_nohash_0.wav\n")
    assert findings(data, tmp_path)["unmatched"].startswith("2 lines of the lists")


@pytest.mark.parametrize(
    ("listed", "on_disk"),
    [
        (f"clips/{NFC}.wav", f"clips/{NFD}.wav"),
        (f"clips/{NFD}.wav", f"clips/{NFC}.wav"),
        ("clips\\a.wav", "clips/a.wav"),
        ("clips/a.wav", "clips/a.WAV"),
        (f"{NFD}\\a.WAV", f"{NFC}/a.wav"),
        (" clips/a.wav ", "clips/a.wav"),
    ],
)
def test_a_file_is_found_under_another_spelling_and_that_is_told(listed, on_disk, tmp_path):
    clip(tmp_path / on_disk)
    finder = FileFinder(tmp_path)
    assert finder.find(listed) == tmp_path / on_disk
    assert finder.respelled == {listed: on_disk}
    assert len(finder.remarks()) == 1


@pytest.mark.parametrize("listed", ["clips/b.wav", "Clips/a.wav", "/etc/passwd", "x" * 300, "a\0b"])
def test_another_name_is_no_spelling(listed, tmp_path):
    clip(tmp_path / "clips" / "a.wav")
    assert FileFinder(tmp_path).find(listed) is None or listed.startswith("/")


def test_of_two_files_with_one_spelling_the_exact_one_is_meant_and_else_none(tmp_path):
    clip(tmp_path / "a.wav"), clip(tmp_path / "a.WAV")
    finder = FileFinder(tmp_path)
    assert finder.find("a.WAV") == tmp_path / "a.WAV"
    assert finder.find("a.Wav") is None
    assert finder.remarks() == ()


def test_labels_in_two_unicode_forms_are_one_class_and_those_of_two_cases_look_alike(tmp_path):
    assert normalised(NFD + "\u00a0 gris ") == NFC + " gris"
    assert look_alikes(["Dog", "cat", "dog", "big dog", "big_dog"]) == [
        ["Dog", "dog"],
        ["big dog", "big_dog"],
    ]
    labels = [NFC, NFD, "Dog", "dog", "cat  x", "cat x"] * 3
    data = folder(tmp_path, [(f"{i}.wav", label, i % 3 + 1) for i, label in enumerate(labels)])
    assert data.table(tmp_path).labels == ("Dog", "cat x", "dog", NFC)
    found = findings(data, tmp_path)
    assert "'Dog' = 'dog'" in found["similar labels"]
    assert "normalised" in found


def folder(root: Path, rows: list[tuple[object, ...]], separator: str = ",", **how: str) -> Folder:
    for i, row in enumerate(rows):
        clip(root / str(row[0]).replace("\\", "/"), seed=i)
    with (root / "manifest.csv").open("w", newline="", encoding=how.get("encoding")) as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([("path", "label", "fold"), *rows])
    return Folder(root=str(root))


ROWS = [(f"clips/{i}.wav", "ab"[i % 2], i // 2 + 1) for i in range(6)]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_cells_separated_by_something_else_are_read_and_that_is_told(separator, tmp_path):
    data = folder(tmp_path, ROWS, separator)
    assert [c.fold for c in data.table(tmp_path).clips] == [1, 1, 2, 2, 3, 3]
    assert "and not by commas" in findings(data, tmp_path)["separator"]
    (tmp_path / "m.csv").write_text(f"path{separator}label\nclips/0.wav{separator}a\n")
    assert read_manifest(tmp_path / "m.csv").labels == ("a",)


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\npath;label;fold\nclips/0.wav;a;1\nclips/1.wav;b;2\nclips/2.wav;b;3\n",
        ",path,label,fold\n0,clips/0.wav,a,1\n1,clips/1.wav,b,2\n2,clips/2.wav,b,3\n",
        "Unnamed: 0,Path,LABEL,Fold\n0,clips/0.wav,a,1.0\n1,clips/1.wav,b,2.0\n2,clips/2.wav,b,3\n",
        "path,label,fold\nclips/0.wav,a,1,,\n,,,\nclips/1.wav,b,2,\n\nclips/2.wav,b,3\n",
        'path , label, fold\n"clips\\0.wav", a, 1\nclips\\1.wav, b, 2\nclips\\2.wav , b, 3\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_manifests_as_other_tools_write_them_are_the_same_table(text, encoding, tmp_path):
    folder(tmp_path, ROWS)
    (tmp_path / "manifest.csv").write_text(text, encoding=encoding)
    table = Folder(root=str(tmp_path)).table(tmp_path)
    assert [c.id.strip() for c in table.clips] == [f"clips/{i}.wav" for i in range(3)]
    assert [(table.labels[c.label], c.fold) for c in table.clips] == [("a", 1), ("b", 2), ("b", 3)]


@pytest.mark.parametrize("fold", ["0", "1.5", "-1", "0.2", "one", "1e3", ""])
def test_a_fraction_is_no_fold(fold, tmp_path):
    with pytest.raises(DataError, match="allowed is a whole number from 1"):
        folder(tmp_path, [*ROWS[:-1], ("clips/5.wav", "b", fold)]).table(tmp_path)


def test_a_manifest_keeps_the_blanks_of_file_names(tmp_path):
    rows = [(f" {i}  x.wav ", "ab"[i % 2], i // 2 + 1) for i in range(6)]
    table = folder(tmp_path, rows).table(tmp_path)
    assert [c.id for c in table.clips] == [row[0] for row in rows]
    write_manifest(table, tmp_path)
    assert Folder(root=str(tmp_path)).table(tmp_path) == table


def test_without_a_manifest_the_folder_of_each_class_is_its_label(tmp_path):
    for i in range(12):
        clip(tmp_path / "ab"[i % 2] / "deep" / f"{i}.wav", seed=i)
    (tmp_path / "a" / "._0.wav").write_bytes(b"x")
    (tmp_path / "a" / "y.m4a").write_bytes(b"x")
    clip(tmp_path / "loose.wav", seed=99)
    data = Folder(root=str(tmp_path))
    table = data.table(tmp_path)
    assert (table.labels, len(table.clips), table.folds) == (("a", "b"), 12, (1, 2, 3, 4, 5))
    kinds = [remark.kind for remark in table.remarks]
    assert kinds == ["class folders", "passed over", "passed over"]


def test_folders_called_as_splits_hold_the_classes(tmp_path):
    for i, (split, label) in enumerate((s, x) for s in ("train", "Valid", "test") for x in "ab"):
        clip(tmp_path / split / label / f"{i}.wav", seed=i)
    table = Folder(root=str(tmp_path)).table(tmp_path)
    assert table.labels == ("a", "b")
    assert [c.split for c in table.clips] == ["val", "val", "test", "test", "train", "train"]


@pytest.mark.parametrize("names", [("clips/0.wav", "clips/1.wav"), ("0.wav",), ()])
def test_a_folder_without_classes_and_without_a_manifest_says_what_is_missing(names, tmp_path):
    for name in names:
        clip(tmp_path / name)
    with pytest.raises(DataError, match=r"manifest\.csv"):
        Folder(root=str(tmp_path)).table(tmp_path)


def test_official_lists_find_their_files_under_another_spelling(tmp_path):
    lines = ["filename,fold,target,category,esc10,src_file"]
    lines += [f"{i}.wav,{i % 5 + 1},{i % 2},c{i % 2},False,{i}" for i in range(10)]
    (tmp_path / "esc" / "meta").mkdir(parents=True)
    (tmp_path / "esc" / "meta" / "esc50.csv").write_text("\n".join(lines))
    for i in range(10):
        clip(tmp_path / "esc" / "audio" / f"{i}.WAV", seed=i)
    assert set(findings(ESC50(root=str(tmp_path / "esc")), tmp_path)) == {"respelled"}
    rows = [f"{i}.wav,{i},{i + 1},{i % 2},c{i % 2}" for i in range(10)]
    lines = ["slice_file_name,fsID,fold,classID,class", *rows]
    (tmp_path / "us" / "metadata").mkdir(parents=True)
    (tmp_path / "us" / "metadata" / "UrbanSound8K.csv").write_text("\n".join(lines))
    for i in range(10):
        clip(tmp_path / "us" / "audio" / f"fold{i + 1}" / f"{i}.WAV", seed=i)
    table = UrbanSound8K(root=str(tmp_path / "us")).table(tmp_path)
    assert all(c.path.is_file() for c in table.clips)
    assert np.unique([c.fold for c in table.clips]).size == 10


def test_links_to_folders_are_followed_and_no_link_leads_in_a_circle(tmp_path):
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "elsewhere/deep/a.wav").write_bytes(b"")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/robin").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/deep/up").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pair").mkdir()
    (tmp_path / "pair/there").symlink_to(tmp_path / "root")
    (tmp_path / "root/back").symlink_to(tmp_path / "pair")
    listing = list_clips(tmp_path / "root")
    assert [file.relative_to(tmp_path).as_posix() for file in listing.files] == [
        "root/robin/deep/a.wav"
    ]
    assert listing.passed_over == (
        "back/there (a link to a folder around it)",
        "robin/deep/up (a link to a folder around it)",
    )
