"""Unpack an archive into a folder, and never write outside it."""

import errno
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from audiocls.errors import DataError

Report = Callable[[int, int], None]

MOST_EXPANSION = 20
"""Bytes unpacked for each byte of an archive; recordings have two, and silence a few more."""
LEAST_LIMIT = 1 << 26
"""Bytes that any archive may hold, however small it is: silence compresses to next to nothing."""

BLOCK = 1 << 20
"""Bytes written at once."""
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,  # a link to nothing
    ValueError,
    OverflowError,
)
_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE)
"""Errors of the system that are no fault of the archive."""


@dataclass
class _Target:
    """The folder that an archive is unpacked into, and what has been written so far."""

    archive: Path
    folder: Path
    names: set[PurePosixPath] = field(default_factory=set)
    num_bytes: int = 0

    def claim(self, path: PurePosixPath) -> Path:
        """Return where a file goes; refuse a name that is there already, as file or folder."""
        if path in self.names or any(parent in self.names for parent in path.parents):
            raise _refused(self.archive, f"two of its entries are called {str(path)!r}")
        target = self.folder / path
        if target.exists():
            raise _refused(self.archive, f"{str(path)!r} is a file and a folder in it")
        self.names.add(path)
        return target

    def spend(self, num_bytes: int) -> None:
        """Count bytes that are written; refuse those beyond the limit."""
        self.num_bytes += num_bytes
        limit = max(LEAST_LIMIT, MOST_EXPANSION * self.archive.stat().st_size)
        if self.num_bytes > limit:
            raise _refused(
                self.archive,
                f"it expands to more than {limit} bytes, {MOST_EXPANSION} times its size: no "
                "archive of recordings does",
            )


def unpack(archive: Path, top: str, folder: Path, report: Report) -> None:
    """Unpack the folder `top` of a .zip or .tar.gz into the existing `folder`.

    `report` gets the bytes of the archive done and of the whole archive. Entries that would land
    elsewhere, by `..` or an absolute path, are refused, as are links, devices (tarfile's `data`
    filter, PEP 706), names that occur twice, and more than `MOST_EXPANSION` bytes for each of the
    archive's. Checksums inside the archive are verified.

    Raises:
        DataError: a dangerous, damaged or encrypted archive, or one without `top`.
        OSError: the disk is full, or the folder cannot be written.
    """
    target = _Target(archive, folder)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(target, top, report)
        else:
            _untar(target, top, report)
    except tarfile.FilterError as error:
        raise _refused(archive, str(error)) from error
    except _DAMAGE as error:
        raise _refused(archive, f"it is damaged ({error})") from error
    except RuntimeError as error:  # zipfile: encrypted; or a method that it does not know
        raise _refused(archive, str(error)) from error
    except OSError as error:
        if error.errno in _MACHINE:
            raise
        raise _refused(archive, f"an entry of it cannot be written ({error.strerror})") from error
    if not target.names:
        raise _refused(archive, f"it holds no files under {top!r}")


def _unzip(target: _Target, top: str, report: Report) -> None:
    size = target.archive.stat().st_size
    with zipfile.ZipFile(target.archive) as pack:
        for entry in pack.infolist():
            path = _inside(target.archive, top, entry.filename)
            if path is None or entry.is_dir():
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _refused(target.archive, f"its entry {entry.filename!r} is a link")
            place = target.claim(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            with pack.open(entry) as source, place.open("wb") as file:
                while block := source.read(BLOCK):
                    target.spend(len(block))
                    file.write(block)
            report(entry.header_offset + entry.compress_size, size)


def _untar(target: _Target, top: str, report: Report) -> None:
    size = target.archive.stat().st_size
    with target.archive.open("rb") as file, tarfile.open(fileobj=file) as pack:
        for entry in pack:
            path = _inside(target.archive, top, entry.name)
            target.spend(entry.size)  # also of what is passed over, for it is decompressed
            if path is None:
                continue
            if entry.issym() or entry.islnk():
                raise _refused(target.archive, f"its entry {entry.name!r} is a link")
            if entry.isfile():
                target.claim(path)
            named = entry.replace(name=str(path), deep=False)
            pack.extract(named, target.folder, filter="data")
            report(file.tell(), size)


def _inside(archive: Path, top: str, name: str) -> PurePosixPath | None:
    """Return the path of an entry below `top`; none for `top` itself and entries beside it."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise _refused(archive, f"its entry {name!r} would land outside the folder")
    if not path.is_relative_to(top):
        return None
    below = path.relative_to(top)
    return below if below.parts else None


def _refused(archive: Path, why: str) -> DataError:
    return DataError(f"{archive}: cannot be unpacked: {why}. Remove it and fetch it again.")
