"""No trial runs on a damaged cache: whatever befalls its files, it is made again, to the bit."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.audio import write_wav
from helpers.recipes import TINY

from audiocls import atomic, digests
from audiocls.atomic import build_cache
from audiocls.audio import pack as pack_module
from audiocls.audio.clips import Clip, ClipTable, fingerprint
from audiocls.audio.dataset import open_dataset
from audiocls.audio.datasets import Synthetic
from audiocls.audio.deduplicate import audio_digests
from audiocls.audio.features import LogMel
from audiocls.audio.features.encodec import package
from audiocls.audio.fetch import require_as_unpacked
from audiocls.audio.pack import open_pack
from audiocls.config import resolve
from audiocls.errors import DataError, MachineFault
from audiocls.execution import pretraining
from audiocls.store import TrialFolder
from audiocls.training.init_from import Weights
from audiocls.training.pretrain import Pretrained
from audiocls.training.progress import Spent

RATE = 8000
DATA = Synthetic(num_sources=5, clips_per_source=1, sample_rate=RATE, duration_s=0.5)
LOGMEL = LogMel(n_mels=8, n_fft=128, hop=64)


@pytest.fixture
def table(tmp_path: Path) -> ClipTable:
    random = np.random.default_rng(0)
    (tmp_path / "sounds").mkdir()
    files = [
        write_wav(tmp_path / "sounds" / f"{i}.wav", random.uniform(-1, 1, 4000), RATE)
        for i in range(3)
    ]
    clips = tuple(Clip(p.name, p, (0,), p.name, fold=i + 1) for i, p in enumerate(files))
    return ClipTable(clips, ("x",), (1, 2, 3))


def samples(table: ClipTable, cache: Path) -> bytes:
    pack = open_pack(table, "f", RATE, cache)
    return pack.samples.tobytes() + pack.starts.tobytes()


def features(table: ClipTable, cache: Path) -> bytes:
    found = open_dataset(DATA, LOGMEL, table, "f", cache).features
    assert found is not None
    return found.tobytes()


def audio(table: ClipTable, cache: Path) -> bytes:
    return audio_digests(table, "f", RATE, cache).tobytes()


def synthetic(table: ClipTable, cache: Path) -> bytes:
    small = DATA.model_copy(update={"num_sources": 5, "duration_s": 0.1})
    return b"".join(clip.path.read_bytes() for clip in small.table(cache).clips)


READERS = {"pack": samples, "features": features, "digests": audio, "synthetic": synthetic}


def zero_the_second_half(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def flip_the_last_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def make_sparse(file: Path) -> None:
    size = file.stat().st_size
    os.truncate(file, 0)
    os.truncate(file, size)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def lose(file: Path) -> None:
    file.unlink()


def replace_by_json(file: Path) -> None:
    file.write_text("[]")


DAMAGES = [
    zero_the_second_half,
    flip_the_last_bit,
    cut,
    make_sparse,
    empty,
    lose,
    replace_by_json,
]


CASES = [
    *((kind, damage) for kind in ("pack", "features", "digests") for damage in DAMAGES),
    ("synthetic", make_sparse),  # which takes a second to be made
]


@pytest.mark.parametrize(
    ("kind", "damage"), CASES, ids=lambda part: getattr(part, "__name__", part)
)
def test_a_damaged_cache_is_made_again_to_the_bit(table, tmp_path, kind, damage, caplog):
    cache, read = tmp_path / "cache", READERS[kind]
    whole = read(table, cache)
    (folder,) = (path for path in cache.glob(f"{kind}-*") if path.is_dir())
    for file in [path for path in sorted(folder.rglob("*")) if path.is_file()][-3:]:
        damage(file)
        assert read(table, cache) == whole, file
        assert file.exists()
    assert not [path for path in cache.iterdir() if path.name.endswith(".tmp")]
    assert str(folder) in caplog.text


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_memo_of_a_fingerprint_is_computed_again(table, tmp_path, damage):
    known = fingerprint(table, tmp_path)
    (memo,) = (tmp_path / "fingerprints").iterdir()
    damage(memo)
    assert fingerprint(table, tmp_path) == known


def test_one_wrong_digit_in_a_memo_is_no_other_data_set(table, tmp_path):
    known = fingerprint(table, tmp_path)
    (memo,) = (tmp_path / "fingerprints").iterdir()
    other = known[:-1] + ("0" if known[-1] != "0" else "1")
    memo.write_text(memo.read_text().replace(known, other))
    assert fingerprint(table, tmp_path) == known


def test_a_cache_of_before_there_were_digests_is_made_again(table, tmp_path):
    whole = samples(table, tmp_path / "cache")
    (pack,) = (tmp_path / "cache").glob("pack-*")
    (pack / digests.SEAL).unlink()
    (pack / "samples.i16").write_bytes(bytes(len(whole)))
    assert samples(table, tmp_path / "cache") == whole


def filled(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "content").write_bytes(content) and None


def count_readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    read: list[int] = []
    crc32 = digests.zlib.crc32
    monkeypatch.setattr(
        digests.zlib, "crc32", lambda block: read.append(len(block)) or crc32(block)
    )
    return read


def test_a_file_is_verified_once_a_process_and_by_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "BLOCK", 1000)
    build_cache(tmp_path / "made", filled(bytes(range(250)) * 10))
    digests._digest_of.cache_clear()
    read = count_readings(monkeypatch)
    for _ in range(3):
        build_cache(tmp_path / "made", filled(b"never"))
    assert sorted(read)[-3:] == [500, 1000, 1000]
    assert sum(read) < 2600


def test_blocks_in_another_order_are_another_file(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "BLOCK", 4)
    build_cache(tmp_path / "made", filled(b"aaaabbbb"))
    (tmp_path / "made/content").write_bytes(b"bbbbaaaa")
    assert digests.damaged(tmp_path / "made") == ["content"]


def test_a_cache_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Or a power cut would leave the name and not the content."""
    order: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        order.append("renamed")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    build_cache(tmp_path / "made", filled(b"x"))
    before = set(order[: order.index("renamed")])
    assert {"content", digests.SEAL} < before
    assert order[-1] == tmp_path.name


def test_a_read_only_cache_that_is_whole_is_used(table, tmp_path, monkeypatch):
    whole = samples(table, tmp_path / "cache")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("written")

    monkeypatch.setattr(atomic, "FileLock", refuse)
    assert samples(table, tmp_path / "cache") == whole


def test_a_file_that_is_written_through_a_full_disk_leaves_the_old_cache_alone(tmp_path):
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(MachineFault, match=str(tmp_path)):
        build_cache(tmp_path / "made", full)
    assert [path.name for path in tmp_path.iterdir()] == [".made.lock"]


def test_what_is_needed_is_known_before_anything_is_written(tmp_path, monkeypatch):
    def no_room(descriptor: int, start: int, num_bytes: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room, raising=False)
    with pytest.raises(MachineFault, match=r"50\.0 MiB are needed"):
        build_cache(tmp_path / "made", lambda _: pytest.fail("written"), 50 << 20)
    assert [path.name for path in tmp_path.iterdir()] == [".made.lock"]


@pytest.mark.parametrize("kind", ["pack", "features"])
def test_a_cache_whose_room_is_missing_says_how_much_it_needs(table, tmp_path, kind, monkeypatch):
    def no_room(descriptor: int, start: int, num_bytes: int) -> None:
        raise OSError(122 if num_bytes < 10_000 else 28, "full")

    cache = tmp_path / "cache"
    if kind == "features":
        samples(table, cache)
    monkeypatch.setattr(os, "posix_fallocate", no_room, raising=False)
    with pytest.raises(MachineFault, match=rf"{cache} .* 0\.\d MiB are needed"):
        READERS[kind](table, cache)
    assert not [path for path in cache.iterdir() if path.name.endswith(".tmp")]


def test_a_clip_that_cannot_be_opened_for_too_many_files_is_not_the_clips_fault(
    table, tmp_path, monkeypatch
):
    opened = Path.open

    def refuse(self: Path, *options: str) -> object:
        if self.suffix == ".wav":
            raise OSError(24, "Too many open files", str(self))
        return opened(self, *options)

    def undecodable(clip: Clip) -> None:
        raise DataError(f"{clip.path}: System error")

    monkeypatch.setattr(pack_module, "decode_clip", undecodable)
    with pytest.raises(DataError, match="3 of 3 clips"):
        samples(table, tmp_path / "cache")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MachineFault, match="Too many open files"):
        samples(table, tmp_path / "cache")


def test_room_is_taken_also_where_the_system_has_no_call_for_it(table, tmp_path, monkeypatch):
    whole = features(table, tmp_path / "a")

    def unknown(*_: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unknown, raising=False)
    assert features(table, tmp_path / "b") == whole


def test_no_file_of_a_cache_is_sparse(table, tmp_path):
    features(table, tmp_path / "cache")
    for file in (tmp_path / "cache").rglob("*.npy"):
        assert file.stat().st_blocks * 512 >= file.stat().st_size


def test_digests_are_those_of_any_crc32(tmp_path):
    """So that people can check a file without us."""
    build_cache(tmp_path / "made", filled(b"123456789"))
    sealed = json.loads((tmp_path / "made" / digests.SEAL).read_text())
    assert sealed == {"crc32": {"content": "cbf43926"}}


def mounted(folder: Path, size: str) -> bool:
    """Whether a small file system could be mounted."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_a_real_disk_without_room_for_features_ends_no_process(table, tmp_path):
    disk = tmp_path / "disk"
    if not mounted(disk, "36k"):
        pytest.skip("no file system may be mounted here")
    try:
        samples(table, disk)
        with pytest.raises(MachineFault, match=f"No space left on device: {disk} "):
            features(table, disk)
        assert not [path for path in disk.iterdir() if path.name.endswith(".tmp")]
        whole = subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=False)
        assert whole.returncode == 0
        assert features(table, disk)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_damaged_download_is_named_before_it_is_packed_and_when_fetched_again(table, tmp_path):
    root = tmp_path / "root"
    build_cache(root, filled(b"sound"))
    require_as_unpacked("esc50", root)
    flip_the_last_bit(root / "content")
    with pytest.raises(DataError, match="1 files are not what was unpacked: content") as caught:
        require_as_unpacked("esc50", root)
    assert "audiocls data fetch esc50" in str(caught.value)
    require_as_unpacked("esc50", tmp_path / "sounds")  # nobody's download


@pytest.mark.parametrize("name", ["stage.json", "checkpoint.safetensors", "checkpoint.json"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged_pre_training_counts_as_none(tmp_path, damage, name):
    folder = TrialFolder(tmp_path)
    weights = Weights("w", {"a": torch.arange(64.0)}, ("x", "y"))
    pretraining._write(folder, resolve([TINY], "tiny"), Pretrained(weights, {"loss": 1.0}, Spent()))
    stored, _ = pretraining._read(folder)
    assert stored is not None
    assert torch.equal(stored.weights.tensors["a"], weights.tensors["a"])
    damage(tmp_path / name)
    stored, _ = pretraining._read(folder)
    assert stored is None


def test_a_damaged_file_of_encodecs_weights_is_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(package, "_model", lambda is_pretrained: "model")
    (tmp_path / "checkpoints").mkdir()
    file = tmp_path / "checkpoints" / package.CHECKPOINT
    file.write_bytes(b"torn")
    assert package.pretrained_model() == "model"
    assert not file.exists()
