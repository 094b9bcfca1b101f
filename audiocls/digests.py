"""Digests of a folder's files, stored in it, so that damage of the right length is found.

CRC-32 of blocks, as in archives: it is against torn writes and failing disks, not against people,
and reads 2 GB/s a core. Weights of checkpoints have theirs in their description.
"""

import functools
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SEAL = "digests.json"
BLOCK = 1 << 22
"""Bytes read at once, each block on a thread."""
SYNC_THREADS = 32
"""Many small files are flushed in few commits of the file system's journal if at once."""

Identity = tuple[int, int, int, int]
"""Inode, bytes, and times of modification and change (ns) of a file that was read."""


def seal(folder: Path) -> None:
    """Store the digest of every file below `folder` in it, and flush all of them to the disk."""
    files = list(_files(folder))
    sealed = {path.relative_to(folder).as_posix(): _digest(path) for path in files}
    (folder / SEAL).write_text(json.dumps({"crc32": sealed}, indent=1), encoding="utf-8")
    with ThreadPoolExecutor(SYNC_THREADS) as pool:
        list(pool.map(sync, [*files, folder / SEAL, *_folders(folder)]))


def is_sealed(folder: Path) -> bool:
    """Whether digests are stored in `folder`."""
    return (folder / SEAL).is_file()


def damaged(folder: Path) -> list[str]:
    """Return the files that are missing or not what was sealed; each is read once a process."""
    try:
        sealed = json.loads((folder / SEAL).read_bytes())["crc32"].items()
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return [SEAL]
    return [name for name, digest in sealed if _digest_if_there(folder / name) != digest]


def with_digest(description: Mapping[str, Any], weights: bytes) -> dict[str, Any]:
    """Return the description of a checkpoint with the digest of its weights."""
    return {**description, "weights": hashlib.sha256(weights).hexdigest()}


def verified_weights(weights: bytes, description: Mapping[str, Any]) -> bytes:
    """Return the weights if their digest is that of the description, where it has one.

    Raises `ValueError` for others: they would predict, and start a training, without a word.
    """
    if description.get("weights") not in (None, hashlib.sha256(weights).hexdigest()):
        raise ValueError("the weights' digest is not the one in their description")
    return weights


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def identity_of(path: Path) -> Identity:
    """Return what differs once a file is another one, or was written again."""
    status = path.stat()
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _files(folder: Path) -> Iterator[Path]:
    paths = (Path(top, name) for top, _, names in os.walk(folder) for name in sorted(names))
    return (path for path in paths if path.is_file() and path != folder / SEAL)


def _folders(folder: Path) -> Iterator[Path]:
    return (Path(top) for top, _, _ in os.walk(folder))


def _digest_if_there(path: Path) -> str:
    try:
        return _digest(path)
    except FileNotFoundError:
        return ""


def _digest(path: Path) -> str:
    return _digest_of(path, identity_of(path))


@functools.lru_cache(maxsize=1 << 17)
def _digest_of(path: Path, identity: Identity) -> str:
    """Return 8 hex digits over a file's blocks; a file that has changed since is read again."""
    starts = range(0, identity[1], BLOCK)
    with path.open("rb") as file:
        if len(starts) <= 1:
            return f"{zlib.crc32(file.read()):08x}"
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            sums = pool.map(lambda start: zlib.crc32(os.pread(file.fileno(), BLOCK, start)), starts)
            blocks = b"".join(value.to_bytes(4, "big") for value in sums)
    return f"{zlib.crc32(blocks):08x}"
