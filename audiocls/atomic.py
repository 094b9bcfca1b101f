"""Atomic writes: a reader sees the old file or the new one, never half of one."""

import errno
import glob
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from audiocls.digests import damaged, is_sealed, seal, sync
from audiocls.machine import reserve, writing
from audiocls.writers import WRITER, has_ended, writer_name

log = logging.getLogger(__name__)


def write_bytes(path: Path, content: bytes, is_synced: bool = False) -> None:
    """Replace `path` by `content` in one step, also if this process is killed meanwhile.

    With `is_synced` it is on the disk before it has the name, so that a power cut leaves no file
    that is torn. Raises `MachineFault` where the disk does not take it.
    """
    with writing(path, len(content)), _written(path, content, is_synced) as beside:
        beside.replace(path)


@contextmanager
def _written(path: Path, content: bytes, is_synced: bool) -> Iterator[Path]:
    """Yield the file that is to become `path`; nothing is left of it afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = beside_of(path)
    try:
        with beside.open("wb") as file:
            file.write(content)
        if is_synced:
            sync(beside)
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def publish(path: Path, content: bytes, is_synced: bool = True) -> bool:
    """Write a file that no other process has written before; return whether this one was first.

    With `is_synced` it is on the disk before it has the name.
    """
    with writing(path, len(content)), _written(path, content, is_synced) as beside:
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
    return True


def beside_of(path: Path, kind: str = "") -> Path:
    """Return where this process writes what is to become `path`: no other one has the name."""
    return path.with_name(f".{path.name}.{writer_name()}{kind}.tmp")


def write_text(path: Path, text: str, is_synced: bool = False) -> None:
    """Replace `path` by `text` in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode(), is_synced)


def build_once(folder: Path, make: Callable[[Path], None], num_bytes: int = 0) -> Path:
    """Return `folder`, filled by `make` if it does not exist yet, by one process of many.

    `make` gets an empty folder beside it, which is renamed when complete; other callers wait.
    A process killed meanwhile leaves no `folder` that could be mistaken for a complete one.
    Raises `MachineFault` where the disk does not take it, before `make` is called if `num_bytes`
    says how much it writes.
    """
    return _build(folder, make, num_bytes, Path.exists)


def build_cache(folder: Path, make: Callable[[Path], None], num_bytes: int = 0) -> Path:
    """Return `folder` as `build_once` does, its content verified once a process by its digests.

    A damaged one is thrown away and made again, which is logged.
    """

    def make_sealed(beside: Path) -> None:
        make(beside)
        seal(beside)

    return _build(folder, make_sealed, num_bytes, _is_intact)


def _is_intact(folder: Path) -> bool:
    return folder.exists() and not damaged(folder)


def _build(
    folder: Path, make: Callable[[Path], None], num_bytes: int, is_whole: Callable[[Path], bool]
) -> Path:
    if is_whole(folder):
        return folder
    with writing(folder, num_bytes):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):  # freed by the kernel after a kill
            if not is_whole(folder):
                _discard(folder)
                _require_room(folder, num_bytes)
                _make_beside(folder, make)
    return folder


def _discard(folder: Path) -> None:
    """Remove what is damaged, and what a killed process has left: we hold its lock."""
    if folder.exists():
        if is_sealed(folder):
            names = ", ".join(damaged(folder)[:3])
            log.warning("%s: damaged on the disk (%s); it is made again", folder, names)
        folder.rename(beside_of(folder, ".damaged"))
    for left_behind in folder.parent.glob(f".{glob.escape(folder.name)}.*.tmp"):
        if _is_abandoned(left_behind, folder.name):
            shutil.rmtree(left_behind, ignore_errors=True)


def _is_abandoned(beside: Path, name: str) -> bool:
    """Whether nobody writes there: on a file system shared by hosts a lock may be none."""
    writer = beside.name.removeprefix(f".{name}.").removesuffix(".tmp")
    return writer.endswith(".damaged") or not WRITER.fullmatch(writer) or has_ended(writer)


def _require_room(folder: Path, num_bytes: int) -> None:
    """Raise `OSError` if the disk has no room for `num_bytes`."""
    if num_bytes:
        probe = beside_of(folder, ".room")
        try:
            with probe.open("wb") as file:
                reserve(file, num_bytes)
        finally:
            probe.unlink(missing_ok=True)


def _make_beside(folder: Path, make: Callable[[Path], None]) -> None:
    beside = beside_of(folder)
    beside.mkdir()
    try:
        make(beside)
        _publish(beside, folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _publish(beside: Path, folder: Path) -> None:
    """Give a complete folder its name, unless another host was first: both are the same."""
    try:
        beside.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
