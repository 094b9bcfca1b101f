"""Shards: Parquet and Arrow of Hugging Face's `datasets`, tars of WebDataset."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf  # noqa: TID251  (shards hold encoded bytes, which somebody has to make)
from helpers.audio import uniform_noise

from audiocls.audio.check import check
from audiocls.audio.clip_audio import decode_clip
from audiocls.audio.clips import fingerprint
from audiocls.audio.datasets import Shards
from audiocls.audio.pack import FULL_SCALE, open_pack
from audiocls.errors import DataError

RATE = 8000
CLASSES = ["cat", "dog"]


def encoded(seed: int, kind: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, uniform_noise(800, peak=0.3, seed=seed), RATE, format=kind)
    return buffer.getvalue()


def refusal(data: Shards, cache: Path) -> str:
    with pytest.raises(DataError) as raised:
        data.table(cache)
    return str(raised.value)


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def tars(root: Path) -> Shards:
    seed = 0
    for split in ("train", "val", "test"):
        members: dict[str, bytes] = {}
        for i in range(4):
            members[f"{i:03}.flac"] = encoded(seed, "FLAC")
            described = {"label": CLASSES[i % 2], "speaker": f"{split}{i // 2}", "extra": {"x": 1}}
            members[f"{i:03}.json"] = json.dumps(described).encode()
            seed += 1
        write_tar(root / f"{split}-000000.tar", members)
    return Shards(root=str(root))


def test_a_tar_is_read_in_place_by_our_decoder(tmp_path):
    data, cache = tars(tmp_path / "data"), tmp_path / "cache"
    table = data.table(cache)
    assert table.labels == tuple(CLASSES)
    assert [c.split for c in table.clips] == ["test"] * 4 + ["train"] * 4 + ["val"] * 4
    assert table.clips[4].source == "train0"
    expected = np.rint(uniform_noise(800, peak=0.3, seed=0) * FULL_SCALE)
    pack = open_pack(table, fingerprint(table, cache), RATE, cache)
    first = pack.samples[pack.starts[4] : pack.starts[5]]
    assert np.abs(first - expected).max() <= 1
    assert not check(data, cache, lambda done, total: None).num_faults
    assert not list(cache.glob("shard-*/audio.bin"))


def test_a_label_may_be_a_member_and_a_recording_of_two_formats_is_refused(tmp_path):
    members = {f"{i}.wav": encoded(i) for i in range(6)}
    labels = {f"{i}.cls": CLASSES[i % 2].encode() for i in range(6)}
    write_tar(tmp_path / "a.tar", members | labels)
    assert Shards(root=str(tmp_path)).table(tmp_path).labels == tuple(CLASSES)
    write_tar(tmp_path / "a.tar", members | labels | {"0.flac": encoded(9, "FLAC")})
    assert "two recordings of one clip" in refusal(Shards(root=str(tmp_path)), tmp_path)


def test_a_member_that_does_not_decode_is_named_as_in_its_shard(tmp_path):
    members = {f"{i}.wav": encoded(i) for i in range(5)} | {"5.wav": b"RIFFnothing"}
    write_tar(tmp_path / "a.tar", members | {f"{i}.cls": b"ab"[i % 2 :][:1] for i in range(6)})
    data = Shards(root=str(tmp_path))
    (found,) = [f for f in check(data, tmp_path, lambda *_: None).findings if f.is_fault]
    assert found.clips == ("a/5.wav",)
    assert "a/5.wav: got 11 bytes that do not decode" in found.text
    with pytest.raises(DataError, match=r"a/5\.wav"):
        decode_clip(data.table(tmp_path).clips[5])


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1500]), "download it again"),
        (lambda path: path.write_bytes(b"x" * 5000), "damaged, or no tar"),
        (lambda path: path.rename(path.with_suffix(".tar.gz")), "decompress them first"),
        (lambda path: path.with_suffix(".parquet").write_bytes(b"x"), "shards of one kind"),
        (lambda path: path.rename(path.with_name("more.tar")), "more.tar are of no split"),
        (lambda path: write_tar(path, {"a.txt": b"x"}), "no member is audio"),
        (lambda path: write_tar(path, {"a.wav": encoded(1)}), "label: is empty"),
    ],
    ids=["cut off", "noise", "compressed", "two kinds", "no split", "no audio", "no label"],
)
def test_what_is_wrong_with_shards_is_one_clear_sentence(break_it, said, tmp_path):
    data = tars(tmp_path / "data")
    break_it(tmp_path / "data" / "train-000000.tar")
    assert said in refusal(data, tmp_path / "cache")


def test_no_shards_at_all_say_what_is_wanted(tmp_path):
    assert "--set data.root=DIR" in refusal(Shards(root=str(tmp_path)), tmp_path)
    assert "needs the folder" in refusal(Shards(), tmp_path)


# Parquet and Arrow.


def rows(first: int, count: int, is_listed: bool = False) -> list[dict[str, Any]]:
    labels = [i % 2 for i in range(first, first + count)]
    return [
        {
            "audio": {"bytes": encoded(first + i), "path": f"x/{first + i // 2 * 2}.wav"},
            "label": [label, 1] if is_listed else label,
            "who": f"s{(first + i) // 2}",
        }
        for i, label in enumerate(labels)
    ]


def as_table(content: list[dict[str, Any]], is_listed: bool = False) -> Any:
    pyarrow = pytest.importorskip("pyarrow")
    label = {"names": CLASSES, "_type": "ClassLabel"}
    features = {"label": {"feature": label, "_type": "Sequence"} if is_listed else label}
    info = {"info": {"features": features}}
    table = pyarrow.Table.from_pylist(content)
    return table.replace_schema_metadata({"huggingface": json.dumps(info)})


def write_parquet(path: Path, table: Any) -> None:
    from pyarrow import parquet  # noqa: TID251  (writes what is read)

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def test_parquet_of_hugging_face_has_class_names_and_splits(tmp_path):
    data, cache = Shards(root=str(tmp_path / "hub"), columns={"source": "who"}), tmp_path / "cache"
    for n, split in enumerate(("train", "validation", "test")):
        write_parquet(
            tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet", as_table(rows(6 * n, 6))
        )
    table = data.table(cache)
    assert table.labels == tuple(CLASSES)
    assert sorted({clip.split for clip in table.clips}) == ["test", "train", "val"]
    assert table.clips[0].source == "s6"
    assert table.clips[0].id == "data/test-00000-of-00001/0000000/12.wav"
    pack = open_pack(table, fingerprint(table, cache), RATE, cache)
    expected = np.rint(uniform_noise(800, peak=0.3, seed=12) * FULL_SCALE)
    assert np.abs(pack.samples[:800] - expected).max() <= 1


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_arrow_that_was_saved_to_disk_gets_folds_of_whole_sources(kind, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    table = as_table(rows(0, 20))
    (tmp_path / "d").mkdir()
    new = pyarrow.ipc.new_stream if kind == "stream" else pyarrow.ipc.new_file
    with new(str(tmp_path / "d" / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table)
    data = Shards(root=str(tmp_path / "d"), columns={"source": "who"})
    found = data.table(tmp_path)
    assert found.folds == (1, 2, 3, 4, 5)
    assert len(decode_clip(found.clips[7]).samples) == 800


def test_lists_of_classes_are_several_labels(tmp_path):
    write_parquet(tmp_path / "h" / "a.parquet", as_table(rows(0, 10, True), True))
    assert "--set data.labels=multi" in refusal(Shards(root=str(tmp_path / "h")), tmp_path)
    table = Shards(root=str(tmp_path / "h"), labels="multi").table(tmp_path)
    assert [clip.labels for clip in table.clips[:2]] == [(0, 1), (1,)]


def test_one_split_alone_is_none_and_a_column_of_folds_counts(tmp_path):
    content = [{**row, "fold": i % 3 + 1} for i, row in enumerate(rows(0, 6))]
    write_parquet(tmp_path / "h" / "train-00000.parquet", as_table(content))
    table = Shards(root=str(tmp_path / "h")).table(tmp_path)
    assert table.folds == (1, 2, 3)
    assert "not taken for a split" in next(r.text for r in table.remarks if r.kind == "shards")


def test_faults_of_parquet_are_told(tmp_path, monkeypatch):
    path, data = tmp_path / "h" / "a.parquet", Shards(root=str(tmp_path / "h"))
    write_parquet(path, as_table(rows(0, 6)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    assert "a.parquet: damaged, or no parquet file" in refusal(data, tmp_path)
    content = [{**row, "audio": {"bytes": None, "path": "/x/a.wav"}} for row in rows(0, 6)]
    content[0]["audio"] = {"bytes": b"x", "path": None}
    write_parquet(path, as_table(content))
    assert "row 1 holds no audio bytes, only a path" in refusal(data, tmp_path)
    write_parquet(path, as_table([{"label": 0}]))
    assert "one column should hold audio as bytes; got none" in refusal(data, tmp_path)
    twice = [{**row, "image": b"x"} for row in rows(0, 6)]
    write_parquet(path, as_table(twice))
    assert "--set data.columns.path=NAME" in refusal(data, tmp_path)
    named = Shards(root=str(tmp_path / "h"), columns={"path": "adio"})
    assert "Did you mean 'audio'?" in refusal(named, tmp_path)


def test_parquet_needs_its_extra_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr("audiocls.audio.shards.arrow.find_spec", lambda name: None)
    assert "pip install 'audiocls[parquet]'" in refusal(Shards(root=str(tmp_path)), tmp_path)
