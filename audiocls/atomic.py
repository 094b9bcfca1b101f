"""Atomic writes: a reader sees the old file or the new one, never half of one.

Locks too, for those who write one after the other, and the way to a file's place.
"""

import errno
import glob
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from audiocls.digests import damaged, is_sealed, seal, sync
from audiocls.machine import reserve, writing
from audiocls.writers import WRITER, has_ended, writer_name

log = logging.getLogger(__name__)

BESIDE = re.compile(rf"\..+\.(?P<writer>{WRITER.pattern})(?P<kind>\.\w+)?\.tmp", re.DOTALL)
"""Name of what a process writes, until it is whole."""

WAIT_S = 1.0
"""Between two words of a process that waits for a cache that another one makes."""


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


def remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed have left half written in `folder`.

    What a living process writes stays. Of other machines' processes nothing is known here, so the
    caller holds the lock under which the folder is written.
    """
    files = list(folder.iterdir()) if folder.is_dir() else []
    for file in files:
        if file.suffix == ".tmp" and _is_abandoned(file):
            _remove(file)


def _is_abandoned(file: Path) -> bool:
    match = BESIDE.fullmatch(file.name)
    try:
        return match is not None and has_ended(match["writer"], file.lstat().st_mtime)
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str, is_synced: bool = False) -> None:
    """Replace `path` by `text` in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode(), is_synced)


@contextmanager
def held(lock_file: Path, timeout_s: float) -> Iterator[bool]:
    """Hold a lock; yields whether it could be had within `timeout_s`.

    The kernel releases it with its process, so it does not outlive a crash.
    """
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def make_way(folder: Path, names: Iterable[str]) -> None:
    """Rename what is a folder in the place of a file of such a name; nothing in it is lost."""
    for place in (folder / name for name in names):
        if place.is_dir():
            number = 1
            while (aside := folder / f"{place.name}.folder{number}").exists():
                number += 1
            place.rename(aside)
            log.warning("%s: a folder was in the place of this file; it is %s now", place, aside)


def build_once(folder: Path, make: Callable[[Path], None], num_bytes: int = 0) -> Path:
    """Return `folder`, filled by `make` if it does not exist yet, by one process of many.

    `make` gets an empty folder beside it, which is renamed when complete; other callers wait.
    A process killed meanwhile leaves no `folder` that could be mistaken for a complete one.
    Raises `MachineFault` where the disk does not take it, before `make` is called if `num_bytes`
    says how much it writes.
    """
    return _build(folder, make, num_bytes, Path.exists)


def build_cache(
    folder: Path,
    make: Callable[[Path], None],
    num_bytes: int = 0,
    while_waiting: Callable[[], None] = lambda: None,
) -> Path:
    """Return `folder` as `build_once` does, its content verified once a process by its digests.

    A damaged one is thrown away and made again, which is logged. `while_waiting` is called now and
    then while another process makes it.
    """

    def make_sealed(beside: Path) -> None:
        make(beside)
        seal(beside)

    return _build(folder, make_sealed, num_bytes, _is_intact, while_waiting)


def _is_intact(folder: Path) -> bool:
    return folder.exists() and not damaged(folder)


def _build(
    folder: Path,
    make: Callable[[Path], None],
    num_bytes: int,
    is_whole: Callable[[Path], bool],
    while_waiting: Callable[[], None] = lambda: None,
) -> Path:
    if is_whole(folder):
        return folder
    with writing(folder, num_bytes):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.parent / f".{folder.name}.lock")  # freed by the kernel after a kill
        with _held(lock, while_waiting):
            if not is_whole(folder):
                _discard(folder)
                _require_room(folder, num_bytes)
                _make_beside(folder, make)
    return folder


@contextmanager
def _held(lock: FileLock, while_waiting: Callable[[], None]) -> Iterator[None]:
    while True:
        try:
            lock.acquire(timeout=WAIT_S)
            break
        except Timeout:
            while_waiting()
    try:
        yield
    finally:
        lock.release()


def _discard(folder: Path) -> None:
    """Remove what is damaged, and what a killed process has left: we hold its lock."""
    if folder.exists():
        if is_sealed(folder):
            names = ", ".join(damaged(folder)[:3])
            log.warning("%s: damaged on the disk (%s); it is made again", folder, names)
        folder.rename(beside_of(folder, ".damaged"))
    for left_behind in folder.parent.glob(f".{glob.escape(folder.name)}.*.tmp"):
        if _is_trash(left_behind):
            _remove(left_behind)


def _is_trash(beside: Path) -> bool:
    """Whether nobody writes there: on a file system shared by hosts a lock may be none."""
    match = BESIDE.fullmatch(beside.name)
    return match is None or match["kind"] == ".damaged" or _is_abandoned(beside)


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
