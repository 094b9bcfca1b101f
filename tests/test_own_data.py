"""Data as people have it: class folders, lists of other tools, segments, further test sets."""

import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.own_data import RATE, facts, listed, refusal, sound, sounds, table, told

from audiocls.audio.check import check
from audiocls.audio.check.summary import facts_of
from audiocls.audio.clip_audio import decode_clip
from audiocls.audio.clips import fingerprint
from audiocls.audio.dataset import open_dataset
from audiocls.audio.datasets import Folder, dataset_named, written_manifest
from audiocls.audio.datasets.cells import split_labels
from audiocls.audio.decode import decode
from audiocls.audio.features import LogMel
from audiocls.audio.pack import open_pack
from audiocls.audio.recording_names import source_in
from audiocls.config import resolve
from audiocls.errors import ConfigError, DataError, MachineFault, UsageError
from audiocls.execution.content import data_notes

# Columns.

NAMES = [f"{i}.wav" for i in range(6)]


@pytest.mark.parametrize(
    "header",
    [
        "file_name,label",
        "Filename,Category",
        "fname,labels",
        "filepath,primary_label",
        "FILE,Class",
    ],
)
def test_columns_of_other_tools_are_recognised_and_told(header, tmp_path):
    sounds(tmp_path, *NAMES)
    rows = "".join(f"{name},{'ab'[i % 2]}\n" for i, name in enumerate(NAMES))
    data = listed(tmp_path, f"{header}\n{rows}")
    assert [labels for _, labels, _ in facts(data)] == [("a",), ("b",)] * 3
    path, label = header.split(",")
    assert f"path = {path!r}" in told(data)["columns"]
    assert (f"label = {label!r}" in told(data)["columns"]) == (label != "label")


def test_columns_can_be_named_and_unread_ones_are_told(tmp_path):
    names = [f"{i}.wav" for i in range(10)]
    sounds(tmp_path, *names)
    rows = "".join(f"{n},{'ab'[i % 2]},p{i // 2},{i},7\n" for i, n in enumerate(names))
    columns = {"path": "wo", "label": "was", "source": "wer"}
    data = listed(tmp_path, f"wo,was,wer,lat,fold\n{rows}", columns={**columns, "fold": "-"})
    assert [clip.source for clip in table(data).clips] == [f"p{i // 2}" for i in range(10)]
    assert "not read: 'lat', 'fold'" in told(data)["columns"]


@pytest.mark.parametrize(
    ("header", "columns", "said"),
    [
        ("path,class,category", {}, "'class', 'category' may each be the label"),
        ("path,class,category", {}, "--set data.columns.label=class"),
        ("path,lable", {}, "Did you mean 'label'?"),
        ("path,what", {}, "--set data.columns.label=NAME"),
        ("path,label", {"source": "speeker"}, "data.columns.source: there is no column 'speeker'"),
        ("path,label,onset", {}, "a segment needs start and end"),
        ("path,label,split,fold", {}, "give one of them"),
    ],
)
def test_columns_that_are_not_clear_are_refused_by_name(header, columns, said, tmp_path):
    sounds(tmp_path, "a.wav")
    data = listed(tmp_path, f"{header}\na.wav" + ",1" * header.count(","), columns=columns)
    assert said in refusal(data)


def test_our_own_name_of_a_column_is_no_ambiguity(tmp_path):
    sounds(tmp_path, *NAMES)
    rows = "".join(f"{n},{'ab'[i % 2]},x{i}\n" for i, n in enumerate(NAMES))
    assert table(listed(tmp_path, f"path,label,category\n{rows}")).labels == ("a", "b")


def test_another_encoding_is_named_and_an_unknown_one_refused(tmp_path):
    sounds(tmp_path, *NAMES)
    rows = "".join(f"{n},{'äb'[i % 2]}\n" for i, n in enumerate(NAMES))
    (tmp_path / "manifest.csv").write_text(f"path,label\n{rows}", encoding="cp1252")
    assert "--set data.encoding=cp1252" in refusal(Folder(root=str(tmp_path)))
    assert table(Folder(root=str(tmp_path), encoding="cp1252")).labels == ("b", "ä")
    with pytest.raises(ConfigError, match=r"got 'utf-9', allowed"):
        dataset_named("folder", {"data.encoding": "utf-9"})


def test_clips_in_another_folder_than_the_list_are_found_by_an_option_that_is_proposed(tmp_path):
    sounds(tmp_path / "wavs", *NAMES)
    text = "path,label\n" + "".join(f"{n},{'ab'[i % 2]}\n" for i, n in enumerate(NAMES))
    assert "--set data.audio=wavs" in refusal(listed(tmp_path, text))
    assert len(facts(listed(tmp_path, text, audio="wavs"))) == 6


def test_a_folder_with_nothing_to_read_says_what_to_write(tmp_path):
    (tmp_path / "list.tsv").write_text("x")
    said = refusal(Folder(root=str(tmp_path)))
    assert "path,label,source\n  audio/1.wav,dog,rover" in said
    assert "--set data.manifest=list.tsv" in said
    assert "folder called like it" in said
    assert "audiocls data manifest" not in said, "it would find as little"


def test_only_a_folder_inside_that_has_classes_is_advised_and_the_advice_helps(tmp_path):
    flat = tmp_path / "flat"
    sounds(flat, "clips/a.wav", "clips/b.wav")
    assert f"data.root={flat}" not in refusal(Folder(root=str(flat)))
    shutil.rmtree(flat)
    sounds(tmp_path, *(f"words/{word}/{i}.wav" for word in ("cat", "dog") for i in range(5)))
    assert f"--set data.root={tmp_path / 'words'}." in refusal(Folder(root=str(tmp_path)))
    inside = {"data.root": str(tmp_path / "words")}
    _, written = written_manifest(tmp_path, tmp_path / "words.csv", inside)
    assert written.labels == ("cat", "dog")


def test_missing_files_say_where_they_were_looked_for_and_how_to_name_another_place(tmp_path):
    sounds(tmp_path, NAMES[0])
    text = "path,label\n" + "".join(f"{name},{'ab'[i % 2]}\n" for i, name in enumerate(NAMES))
    said = refusal(listed(tmp_path, text)).splitlines()[-1]
    assert f"relative to {tmp_path}: 5 of 6 are not there" in said
    assert "--set data.audio=FOLDER" in said
    assert "--set data.root=DIR" in said
    complete = "path,label\n" + f"{NAMES[0]},\n"
    assert "data.root" not in refusal(listed(tmp_path, complete)), "of a fault of another kind"


# Class folders.


def test_folders_of_classes_without_clips_and_other_files_are_told(tmp_path):
    sounds(tmp_path, *(f"{c}/{c}{i}.wav" for c in ("dog", "cat") for i in range(5)))
    (tmp_path / "fish").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "dog" / "notes.txt").write_text("x")
    sounds(tmp_path, "loose.wav")
    data = Folder(root=str(tmp_path))
    assert table(data).labels == ("cat", "dog")
    assert "fish" in told(data)["empty folders"]
    assert ".git" not in told(data)["empty folders"]
    assert told(data)["empty folders"].startswith("1 folder without")
    assert told(data)["other files"] == "1 file passed over, no audio by the name: dog/notes.txt"
    assert told(data)["passed over"] == "1 clip outside the folder of any class: loose.wav"


def test_a_folder_beside_the_splits_is_ambiguous(tmp_path):
    sounds(tmp_path, "train/a/0.wav", "test/b/1.wav", "more/c/2.wav")
    assert "more beside them are not" in refusal(Folder(root=str(tmp_path)))


def test_further_test_folders_are_further_test_sets(tmp_path):
    sounds(
        tmp_path,
        *(f"{s}/{c}/{s}.wav" for s in ("train", "dev", "test", "test_unseen") for c in "ab"),
    )
    found = table(Folder(root=str(tmp_path)))
    split = found.split(1)
    assert [found.clips[i].id for i in split.further["test:unseen"]] == [
        "test_unseen/a/test_unseen.wav",
        "test_unseen/b/test_unseen.wav",
    ]
    assert len(split.test) == len(split.val) == len(split.train) == 2


# Sources.


@pytest.mark.parametrize(
    ("path", "pattern", "source"),
    [
        ("robin/XC123-4.wav", r"^(XC\d+)", "XC123"),
        ("s1/robin/a.wav", r"^([^/]+)/", "s1"),
        ("robin/bob_1.wav", r"[a-z]+(?=_)", "bob"),
        ("robin/1.wav", r"XC", None),
    ],
)
def test_a_source_is_found_in_the_name_and_then_in_the_path(path, pattern, source):
    assert source_in(path, pattern) == source


def test_sources_by_a_pattern_stay_together_and_paths_without_one_are_named(tmp_path):
    names = [f"{c}/{who}_{i}.wav" for c in ("hi", "ho") for who in "uvwxyz" for i in range(2)]
    sounds(tmp_path, *names)
    found = table(Folder(root=str(tmp_path), source="^([^_]+)_"))
    folds = {source: {c.fold for c in found.clips if c.source == source} for source in "uvwxyz"}
    assert all(len(each) == 1 for each in folds.values())
    sound(tmp_path / "hi" / "nobody.wav")
    assert "hi/nobody.wav" in refusal(Folder(root=str(tmp_path), source="^([^_]+)_"))
    with pytest.raises(ConfigError, match="no regular expression"):
        dataset_named("folder", {"data.source": "("})


PEOPLE = ("ann", "bob", "cy", "di", "ed")


def numbered(template: str, **parts: Iterable[object]) -> list[str]:
    """Every combination of the parts, the first the slowest."""
    every = itertools.product(*parts.values())
    return [template.format(**dict(zip(parts, values, strict=True))) for values in every]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (numbered("{c}/speaker_{s}_{i}.wav", c="ab", s=range(6), i=range(2)), "speaker"),
        (numbered("{c}/XC{c:d}{s}-{i}.wav", c=(1, 2), s=range(4), i=range(3)), r"(XC\d+)"),
        (numbered("{c}/rec-{s}-{i}.wav", c="ab", s=range(6), i=range(2)), "rec"),
        (numbered("{c}/a{s:07x}_nohash_{i}.wav", c="ab", s=range(6), i=(0, 1)), "_nohash_"),
        (numbered("{c}/{s}_{i}.wav", c="ab", s=PEOPLE, i=range(3)), "^([^_]+)_"),
        (numbered("{c}_{s}_{i}.wav", c=(0, 1), s=PEOPLE, i=range(3)), "^[^_]+_([^_.]+)"),
    ],
    ids=["speakers", "xeno-canto", "recordings", "speech commands", "first word", "digits"],
)
def test_names_that_repeat_propose_a_source_that_is_accepted(names, pattern, tmp_path):
    sounds(tmp_path, *names)
    text = "path,label\n" + "".join(f"{n},{n[0]}\n" for n in names)
    data = listed(tmp_path, text)
    said = told(data)["source"]
    assert pattern in said
    given = said.partition("data.source='")[2].partition("' (in a recipe")[0]
    grouped = listed(tmp_path, text, source=given.replace("''", "'"))
    assert "source" not in told(grouped)
    assert len({clip.source for clip in table(grouped).clips}) <= len(names) // 2


@pytest.mark.parametrize(
    "names",
    [
        [f"{c}/{c}_{i}.wav" for c in ("dog", "cat", "cow") for i in range(6)],
        [f"{c}/{i}.wav" for c in ("dog", "cat", "cow") for i in range(6)],
        [f"{c}/{i}_{c}.wav" for c in ("dog", "cat", "cow") for i in range(6)],
        [f"{c}/a-{i}.wav" for c in ("dog", "cat", "cow") for i in range(6)],
    ],
)
def test_classes_and_counters_in_names_propose_nothing(names, tmp_path):
    sounds(tmp_path, *names)
    assert "source" not in told(Folder(root=str(tmp_path)))


# Several labels.


def test_several_labels_are_split_and_refused_where_one_is_expected(tmp_path):
    sounds(tmp_path, *NAMES)
    cells = ["dog;cat", "dog", "cat", "cow; dog", "cow", "cat"]
    text = "path,label\n" + "".join(f"{n},{c}\n" for n, c in zip(NAMES, cells, strict=True))
    said = refusal(listed(tmp_path, text))
    assert "line 2, label: got 'dog;cat', which looks like several labels" in said
    assert "--set data.labels=multi" in said
    data = listed(tmp_path, text, labels="multi")
    assert facts(data)[0][1] == ("cat", "dog")
    assert table(data).labels == ("cat", "cow", "dog")
    assert table(data).targets().sum() == 8
    assert data.is_multi_label


def test_a_comma_is_several_labels_only_where_each_is_one(tmp_path):
    assert split_labels("Speech, male;Music") == ["Speech, male", "Music"]
    sounds(tmp_path, *NAMES)
    cells = ["Speech, male", "Music", "Speech, male", "Music", "Music", "Music"]
    text = "path,label\n" + "".join(f'{n},"{c}"\n' for n, c in zip(NAMES, cells, strict=True))
    assert table(listed(tmp_path, text)).labels == ("Music", "Speech, male")
    both = text + '0.wav,"Music, Music"\n'
    assert "looks like several" not in refusal(listed(tmp_path, both))


def test_labels_that_may_be_several_are_told(tmp_path):
    sounds(tmp_path, *NAMES)
    cells = ["dog, loud", "dog", "cat", "cat", "dog, loud", "cat"]
    rows = "".join(f'{n},"{c}"\n' for n, c in zip(NAMES, cells, strict=True))
    assert "dog, loud; if so" in told(listed(tmp_path, f"path,label\n{rows}"))["labels"]


@pytest.mark.parametrize("option", [{"audio": "x"}, {"encoding": "latin-1"}])
def test_options_of_a_list_are_refused_where_there_is_none(option, tmp_path):
    sounds(tmp_path, *(f"{c}/{i}.wav" for c in "ab" for i in range(5)))
    assert "no effect here" in refusal(Folder(root=str(tmp_path), **option))


def test_further_labels_need_multi(tmp_path):
    with pytest.raises(ConfigError, match="set labels: multi"):
        dataset_named("folder", {"data.columns.also": "secondary_labels"})


# Segments.


def test_a_segment_is_its_part_of_the_recording_and_shares_its_source(tmp_path):
    long = sound(tmp_path / "long.wav", num_samples=RATE)
    sounds(tmp_path, *(f"{i}.wav" for i in range(4)))
    rows = "long.wav,a,0.25,0.5\nlong.wav,b,0.5,1.0\n" + "".join(f"{i}.wav,a,,\n" for i in range(4))
    data = listed(tmp_path, f"path,label,start,end\n{rows}")
    found = table(data)
    assert [c.id for c in found.clips[:2]] == ["long.wav#0.25-0.5", "long.wav#0.5-1"]
    assert found.clips[0].source == found.clips[1].source == "long.wav"
    assert found.clips[0].fold == found.clips[1].fold
    whole = decode(long).samples
    assert np.array_equal(decode_clip(found.clips[0]).samples, whole[2000:4000])
    pack = open_pack(found, fingerprint(found, tmp_path), RATE, tmp_path)
    assert pack.lengths(np.arange(3)).tolist() == [2000, 4000, 800]


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
def test_a_segment_of_a_compressed_recording_is_where_it_is_in_the_whole(ending, tmp_path):
    import soundfile as sf  # noqa: TID251  (a format that the helper does not write)

    path = tmp_path / f"a.{ending}"
    tone = np.sin(np.arange(4 * RATE) ** 2 / 3e5).astype(np.float32) / 2
    sf.write(path, tone, RATE)
    whole = decode(path).samples
    part = decode(path, (1.5, 2.5)).samples
    assert np.abs(part - whole[int(1.5 * RATE) : int(2.5 * RATE)]).max() < 1e-3


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("1,0.5", "line 2, end: got '0.5', allowed is a time after the start, 1 s"),
        ("x,0.5", "line 2, start: got 'x', allowed is a number of seconds from 0"),
        ("-1,0.5", "line 2, start: got '-1'"),
        ("0.5,", "line 2, end: got ''"),
    ],
)
def test_times_that_make_no_segment_are_refused_by_line(cells, said, tmp_path):
    sounds(tmp_path, "a.wav")
    assert said in refusal(listed(tmp_path, f"path,label,onset,offset\na.wav,x,{cells}\n"))


def test_segments_beyond_the_end_of_their_recording_are_found_by_check(tmp_path):
    sounds(tmp_path, "a.wav", *NAMES)
    rows = "a.wav,a,0,0.05\na.wav,b,0.05,9\na.wav,b,5,9\n" + "".join(f"{n},b,,\n" for n in NAMES)
    data = listed(tmp_path, f"path,label,start,end\n{rows}")
    found = {f.kind: f.text for f in check(data, tmp_path, lambda done, total: None).findings}
    assert "ends at 0.10 s, its segment at 9 s" in found["truncated"]
    assert "a segment from 5 to 9 s of a recording that ends before" in found["undecodable"]


# What check tells, and what is written down.


def found_in(data: Folder, cache: Path) -> dict[str, str]:
    return {f.kind: f.text for f in check(data, cache, lambda done, total: None).findings}


def test_clips_in_no_row_of_the_list_are_told_with_the_folders_that_are_missed(tmp_path):
    sounds(tmp_path / "d", *(f"{c}/{i}.wav" for c in ("hi", "ho") for i in range(5)), "he/9.wav")
    rows = [f"{c}/{i}.wav,{c}\n" for c in ("hi", "ho") for i in range(5)]
    data = listed(tmp_path / "d", "path,label\n" + "".join(rows[1:]) + "hi/0.wav,hi\n")
    said = found_in(data, tmp_path)["unlisted"]
    assert (
        said == "1 clip in the folder and in no row of the list (nothing of he is listed): he/9.wav"
    )
    del rows[3]
    said = found_in(listed(tmp_path / "d", "path,label\n" + "".join(rows)), tmp_path)["unlisted"]
    assert "2 clips" in said
    assert "hi/3.wav" in said


def test_folds_and_splits_are_listed_in_their_order_and_in_plain_words(tmp_path):
    names = [f"{i}.wav" for i in range(12)]
    sounds(tmp_path, *names)
    cells = [*range(12, 1, -1), "test:field"]
    rows = "".join(f"{i}.wav,{'ab'[i // 6]},{cell}\n" for i, cell in enumerate(cells))
    data = listed(tmp_path, f"path,label,fold\n{rows}")
    quality = check(data, tmp_path, lambda done, total: None)
    assert list(quality.sides) == [*(f"fold {i}" for i in range(2, 13)), "test:field"]
    facts_ = facts_of(quality, data)
    assert facts_["folds and splits"].startswith("fold 2: 1, fold 3: 1")
    assert "12 shorter than 1 s: padded with zeros to 1 s" in facts_["lengths"]
    kinds = [finding.kind for finding in quality.findings if not finding.is_fault]
    assert kinds == sorted(kinds)


@pytest.mark.parametrize("kind", ["classes", "list", "splits"])
def test_the_manifest_that_is_written_reads_as_what_it_was_made_of(kind, tmp_path):
    root, options = tmp_path / "d", {}
    if kind == "list":
        sounds(root / "wav", *(f"s{i // 2}-{i}.wav" for i in range(12)))
        rows = [f"s{i // 2}-{i}.wav;{'a|b' if i % 3 else 'a'};{i / 100:g};0,5" for i in range(12)]
        text = "\n".join(["Filename;Class;onset;offset", *rows])
        listed(root, text.replace("|", ", ") + "\n", name="list.txt")
        options = {"manifest": "list.txt", "audio": "wav", "labels": "multi", "source": "^(s.*)-"}
    else:
        parts = ("train/", "dev/", "test/") if kind == "splits" else ("",)
        sounds(root, *(f"{p}{c}/{i}.wav" for p in parts for c in "ab" for i in range(5)))
    given = {f"data.{key}": value for key, value in options.items()}
    before = table(Folder(root=str(root), **options))
    path, written = written_manifest(root, None, given)
    assert written.clips == before.clips
    labels = {"labels": "multi"} if kind == "list" else {}
    after = table(Folder(root=str(root), **labels))
    assert after.labels == before.labels

    def of(clip):
        return clip.path, clip.labels, clip.source.split("/")[-1], clip.side, clip.segment

    assert sorted(map(of, after.clips)) == sorted(map(of, before.clips))
    with pytest.raises(UsageError, match="exists already"):
        written_manifest(root, path, {})


# Without a pack.


def test_clips_decoded_on_demand_are_those_of_the_pack_and_leave_no_samples(tmp_path):
    for i in range(6):
        sound(tmp_path / "d" / "ab"[i % 2] / f"s{i}.wav", i, num_samples=700 + 300 * i)
    cache = tmp_path / "cache"
    known = {}
    for pack in (True, False):
        data = Folder(root=str(tmp_path / "d"), sample_rate=6000, duration_s=0.15, pack=pack)
        found = data.table(cache)
        opened = open_dataset(data, LogMel(n_mels=8, n_fft=128, hop=64), found, "f", cache)
        clips = np.array([5, 0, 3])
        offsets = np.array([100, 0, 7])
        shape = opened.unaugmented(clips).shape
        known[pack] = (opened.waveforms(clips, offsets), opened.unaugmented(clips), shape)
        if pack:
            for kept in cache.glob("pack-*"):
                shutil.rmtree(kept)
    assert torch.equal(known[True][0], known[False][0])
    assert torch.allclose(known[True][1], known[False][1], atol=1e-5)
    assert not [*cache.glob("pack-*")]
    assert Folder(pack=False).model_dump()["pack"] is False


def test_a_launch_without_room_for_a_pack_says_how_to_do_without(tmp_path, monkeypatch):
    sounds(tmp_path / "d", *(f"{c}/{i}.wav" for c in "ab" for i in range(5)))
    recipe = {"data.name": "folder", "data.root": str(tmp_path / "d"), **RECIPE}
    monkeypatch.setattr("audiocls.machine.disk.free_bytes", lambda folder: 1000)
    for pack in (True, False):
        config = resolve([recipe, {"data.pack": pack}], "here")
        found = config.data.table(tmp_path)
        given = (config, found, fingerprint(found, tmp_path), (1,), tmp_path / "cache")
        if pack:
            with pytest.raises(MachineFault, match=r"are needed.*--set data\.pack=false"):
                data_notes(*given)
        else:
            data_notes(*given)


# Splits.


def test_a_validation_part_is_drawn_by_source_and_stays_where_it_is(tmp_path):
    names = [f"{i}.wav" for i in range(40)]
    sounds(tmp_path, *names)
    splits = ["train"] * 30 + ["test"] * 10
    rows = [f"{i}.wav,{'ab'[i % 2]},{split},s{i // 2}\n" for i, split in enumerate(splits)]
    text = "path,label,split,source\n" + "".join(rows)
    assert "--set data.val.share=0.1" in str(
        [f.text for f in check(listed(tmp_path, text), tmp_path, lambda *_: None).findings]
    )
    found = table(listed(tmp_path, text, val={"share": 0.2}))
    val = {clip.source for clip in found.clips if clip.split == "val"}
    assert 1 <= len(val) <= 6
    assert val.isdisjoint({clip.source for clip in found.clips if clip.split == "train"})
    fewer = "path,label,split,source\n" + "".join(rows[4:])
    again = table(listed(tmp_path, fewer, val={"share": 0.2}))
    kept = {clip.source for clip in again.clips if clip.split == "val"}
    assert kept == val - {"s0", "s1"} or len(kept) == 1


@pytest.mark.parametrize(
    ("column", "cells", "why"),
    [
        ("split", ("train", "val", "test"), "there are validation clips"),
        ("fold", ("1", "2", "3"), "there is no split 'train'"),
    ],
)
def test_a_validation_part_without_effect_is_refused(column, cells, why, tmp_path):
    sounds(tmp_path, *NAMES)
    rows = "".join(f"{n},a,{cells[i % 3]}\n" for i, n in enumerate(NAMES))
    assert why in refusal(listed(tmp_path, f"path,label,{column}\n{rows}", val={"share": 0.1}))


def test_test_sets_may_share_recordings_with_each_other_and_not_with_training(tmp_path):
    sounds(tmp_path, *NAMES)
    sides = ["train", "val", "test", "test:far", "test:near", "train"]
    rows = [f"{n},{'ab'[i % 2]},{s}," for i, (n, s) in enumerate(zip(NAMES, sides, strict=True))]
    who = ["a", "b", "c", "c", "d", "e"]
    text = "path,label,split,source\n" + "".join(
        f"{r}{w}\n" for r, w in zip(rows, who, strict=True)
    )
    split = table(listed(tmp_path, text)).split(1)
    assert {name: clips.tolist() for name, clips in split.further.items()} == {
        "test:far": [3],
        "test:near": [4],
    }
    with pytest.raises(DataError, match="test recordings would occur in training"):
        table(listed(tmp_path, text.replace(",d\n", ",a\n")))


def test_one_recording_in_two_test_sets_is_no_leak_and_in_training_it_is(tmp_path):
    sounds(tmp_path, *(f"{i}.wav" for i in range(8)))
    sound(tmp_path / "7.wav", seed=6)
    sides = ["train", "train", "val", "val", "test", "test", "test", "test:far"]
    rows = [f"{i}.wav,{'ab'[i % 2]},{side}\n" for i, side in enumerate(sides)]
    data = listed(tmp_path, "path,label,split\n" + "".join(rows))
    assert "leaking duplicates" not in found_in(data, tmp_path)
    sound(tmp_path / "7.wav", seed=1)
    assert "7.wav (test:far)" in found_in(data, tmp_path)["leaking duplicates"]


def test_folds_may_have_further_test_clips_beside_them(tmp_path):
    sounds(tmp_path, *NAMES)
    cells = ["1", "2", "3", "test:field", "1", "test:field"]
    rows = "".join(f"{i}.wav,{'ab'[i % 2]},{cell}\n" for i, cell in enumerate(cells))
    found = table(listed(tmp_path, f"path,label,fold\n{rows}"))
    assert found.folds == (1, 2, 3)
    for fold in found.folds:
        assert found.split(fold).further["test:field"].tolist() == [3, 5]


def test_options_at_their_defaults_leave_the_ids_of_trials_as_they_were():
    first = {"name", "root", "sample_rate", "duration_s", "manifest"}
    assert set(Folder(root="x").model_dump()) == first
    changed = Folder(root="x", labels="multi", val={"share": 0.2}).model_dump(mode="json")
    assert changed["labels"] == "multi"
    assert changed["val"] == {"share": 0.2}
    assert Folder.model_validate(changed) == Folder(root="x", labels="multi", val={"share": 0.2})
    assert resolve([{"data.name": "folder"}, RECIPE], "here").data == Folder()


RECIPE = {
    "features.name": "logmel",
    "model.name": "logmel_cnn",
    "optim.name": "adamw",
    "schedule.name": "constant",
}
