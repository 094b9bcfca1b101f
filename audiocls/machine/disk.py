"""Disks: room reserved before it is needed, and errors of the system as faults of the machine."""

import errno
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from audiocls.errors import MachineFault

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN})
"""Open files of this process or of the system; processes and threads."""
REFUSED = frozenset({errno.EACCES, errno.EPERM})
"""The machine's in its own folders; elsewhere a file of the user's that may not be read."""
MACHINES = NO_ROOM | TOO_MANY | {errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOMEM}

TEXTS = {os.strerror(number).lower(): number for number in (*NO_ROOM, errno.EROFS)}
"""How other programs and libraries call a full or read-only disk, in lower case."""
TORN = re.compile(r"\d+ requested and \d+ written")
"""What numpy says of a disk that takes no more; it leaves the number of the error out."""
OTHER_FOLDERS = (
    "another folder: --runs or AUDIOCLS_RUNS for studies, AUDIOCLS_CACHE for decoded audio and "
    "features, TMPDIR for temporary files"
)


@contextmanager
def writing(path: Path, num_bytes: int | None = None) -> Iterator[None]:
    """Raise `MachineFault`, naming the folder of `path`, where the disk does not take it.

    `num_bytes` is how much is needed there, if known.
    """
    try:
        yield
    except OSError as error:
        if (number := _number(error)) not in MACHINES:
            raise
        where = path.parent if number in NO_ROOM else _path(error) or path.parent
        raise fault(number, where, num_bytes) from error


def reserve(file: BinaryIO, num_bytes: int) -> None:
    """Take the room for `num_bytes` from the file's beginning, so that none is missing later.

    Raises `OSError` where there is not so much.
    """
    if not num_bytes:
        return
    try:
        os.posix_fallocate(file.fileno(), 0, num_bytes)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno in MACHINES:
            raise
        _fill(file, num_bytes)  # neither macOS nor every file system has the call


def _fill(file: BinaryIO, num_bytes: int) -> None:
    block = bytes(1 << 20)
    for start in range(0, num_bytes, len(block)):
        file.write(block[: num_bytes - start])
    file.flush()
    file.seek(0)


def fault_of_system(error: OSError, folders: Sequence[Path]) -> MachineFault | None:
    """Return the fault behind an error of the system; `None` if it is not the machine's."""
    number, path = _number(error), _path(error)
    if number in REFUSED and path is not None:
        is_ours = any(path.is_relative_to(folder.absolute()) for folder in folders)
        return fault(number, path) if is_ours else None
    if number not in MACHINES:
        return None
    return fault(number, _fullest(folders) if path is None else path.parent)


def fault_in(text: str, *folders: Path) -> MachineFault | None:
    """Return the full or read-only disk that a program's or a library's message tells of."""
    lowered = text.lower()
    number = next((number for words, number in TEXTS.items() if words in lowered), None)
    return None if number is None else fault(number, _fullest(folders))


def fault(number: int | None, where: Path | None, num_bytes: int | None = None) -> MachineFault:
    """Return the fault as a sentence: what, where, how much is needed, what to do."""
    assert number is not None
    what = os.strerror(number)
    if number in TOO_MANY:
        remedy = "Raise the limit (`ulimit -n`, `ulimit -u`), or use fewer --workers"
        return MachineFault(f"{what}. {remedy}")
    if number == errno.ENOMEM:
        return MachineFault(f"{what}. Use fewer --workers, or end other programs")
    place = f"{what}: {where}" if where else what
    if number not in NO_ROOM:
        return MachineFault(f"{place}. Make it writable, or choose {OTHER_FOLDERS}")
    if number == errno.EFBIG:
        limit = "Raise the limit of a file's size (`ulimit -f`)"
        return MachineFault(f"{place}. {limit}, or choose {OTHER_FOLDERS}")
    needed = f", {in_mib(num_bytes)} are needed" if num_bytes else ""
    there = f" ({room(where)}{needed})" if where else ""
    return MachineFault(f"{place}{there}. Free room there, or choose {OTHER_FOLDERS}")


def room(folder: Path) -> str:
    """Return how much is free where `folder` is, or would be; no inodes mean no further file."""
    there = _existing(folder)
    try:
        free, counts = shutil.disk_usage(there).free, os.statvfs(there)
    except OSError:
        return "its free space is not known"
    has_inodes = not counts.f_files or counts.f_favail > 0
    return f"{in_mib(free)} are free" if has_inodes else "no further file fits: no inodes are left"


def in_mib(num_bytes: int) -> str:
    """Return bytes in MiB, for people.

    >>> in_mib(0), in_mib(100), in_mib(25 << 20)
    ('0.0 MiB', '0.1 MiB', '25.0 MiB')
    """
    return f"{max(num_bytes / 2**20, 0.1 if num_bytes else 0):.1f} MiB"


def _number(error: OSError) -> int | None:
    return errno.ENOSPC if error.errno is None and TORN.search(str(error)) else error.errno


def _path(error: OSError) -> Path | None:
    is_named = isinstance(error.filename, str | bytes)
    return Path(os.fsdecode(error.filename)).absolute() if is_named else None


def _fullest(folders: Sequence[Path]) -> Path | None:
    """Return the folder on the fullest disk, of several on one disk the first.

    A disk is measured once: others write to it meanwhile.
    """
    free: dict[int, int] = {}
    for folder in folders:
        free.setdefault(_disk(folder), free_bytes(folder))
    return min(folders, key=lambda folder: free[_disk(folder)], default=None)


def _disk(folder: Path) -> int:
    try:
        return _existing(folder).stat().st_dev
    except OSError:
        return 0


def free_bytes(folder: Path) -> int:
    """Return how many bytes are free where `folder` is, or would be; 0 if that is not known."""
    try:
        return shutil.disk_usage(_existing(folder)).free
    except OSError:
        return 0


def file_system(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Return the type of file system where `folder` is, or would be, such as `nfs4` or `ext4`.

    It is empty where the system does not say.
    """
    there, found = _existing(folder).resolve(), ("", "")
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:  # of several at one place the last one is seen
        _, place, kind = line.split(" ", 3)[:3]
        place = place.replace("\\040", " ")
        if there.is_relative_to(place) and len(place) >= len(found[0]):
            found = (place, kind)
    return found[1]


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that exists."""
    return next((each for each in (folder, *folder.parents) if each.exists()), folder)
