"""Shards: files that hold many clips each, and what is known of them beside the audio.

A clip of a shard is a stretch of the bytes of a file: of the tar itself, or of a copy of the audio
bytes of a Parquet or Arrow file, which compresses and scatters them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from audiocls.atomic import build_cache
from audiocls.audio.listing import is_hidden
from audiocls.errors import DataError
from audiocls.formatting import join_names

TAR, ARROW, PARQUET = ".tar", ".arrow", ".parquet"
ENDINGS = (PARQUET, ARROW, TAR)
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_INDEX, _AUDIO = "rows.json", "audio.bin"
INDEX_SCHEMA = 1


@dataclass(frozen=True)
class Entry:
    """One clip of a shard: its name inside, its bytes in the file, its cells by column."""

    name: str
    first: int
    num_bytes: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Shard:
    """The clips of one shard, and the file that holds their bytes."""

    file: Path
    entries: tuple[Entry, ...]


def shard_files(root: Path) -> list[Path]:
    """Return the shards below `root`, ascending.

    Raises:
        DataError: there are none, of two kinds, or compressed ones.
    """
    below = [p for p in sorted(root.rglob("*")) if not _is_hidden(p.relative_to(root))]
    packed = [p.name for p in below if p.name.lower().endswith(COMPRESSED)]
    if packed:
        raise DataError(
            f"{root}: {join_names(packed)}: compressed, so that clips cannot be read from the "
            "middle; decompress them first (gunzip, unzstd)"
        )
    files = [path for path in below if path.suffix.lower() in ENDINGS and path.is_file()]
    kinds = sorted({path.suffix.lower() for path in files})
    if len(kinds) != 1:
        got = f"both {' and '.join(kinds)} files" if kinds else "none"
        raise DataError(
            f"{root}: wanted are shards of one kind, {', '.join(ENDINGS)}; got {got}. Give the "
            "folder that holds them: --set data.root=DIR"
        )
    return files


def _is_hidden(relative: Path) -> bool:
    return any(map(is_hidden, relative.parts))


def open_shard(path: Path, column: str | None, cache: Path) -> Shard:
    """Return what is in a shard; its index, and a copy of audio if needed, are kept in `cache`.

    `column` has the audio, of a Parquet or Arrow file where that is not to be recognised.

    Raises:
        DataError: it is damaged, or holds no audio; pyarrow is needed and not installed.
        MachineFault: the disk has no room for the copy.
    """
    status = path.stat()
    place = [str(path), status.st_size, status.st_mtime_ns, column, INDEX_SCHEMA]
    key = hashlib.sha256(json.dumps(place).encode()).hexdigest()[:16]
    is_tar = path.suffix.lower() == TAR
    room = 0 if is_tar else status.st_size
    folder = build_cache(cache / f"shard-{key}", partial(_make, path, column), room)
    content = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    entries = tuple(Entry(**entry) for entry in content)
    return Shard(path if is_tar else folder / _AUDIO, entries)


def _make(path: Path, column: str | None, folder: Path) -> None:
    if path.suffix.lower() == TAR:
        from audiocls.audio.shards.tar import tar_entries

        entries: Iterator[Entry] = tar_entries(path)
    else:
        from audiocls.audio.shards.arrow import arrow_entries

        entries = arrow_entries(path, column, folder / _AUDIO)
    rows = [asdict(entry) for entry in entries]
    (folder / _INDEX).write_text(json.dumps(rows), encoding="utf-8")
