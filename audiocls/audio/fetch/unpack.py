"""Unpack an archive into a folder, and never write outside it."""

import gzip
import lzma
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from audiocls.errors import DataError
from audiocls.machine import fault_of

Report = Callable[[int, int], None]

MOST_EXPANSION = 20
"""Bytes unpacked for each byte of an archive; recordings have two, and silence a few more."""
LEAST_LIMIT = 1 << 26
"""Bytes that any archive may hold, however small it is: silence compresses to next to nothing."""

ENCRYPTED = 1
"""Bit of a zip entry's flags (APPNOTE 4.4.4)."""
GZIP = b"\x1f\x8b"
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


@dataclass
class _Target:
    """The folder that an archive is unpacked into, and what has been written so far."""

    archive: Path
    folder: Path
    names: set[PurePosixPath] = field(default_factory=set)
    spellings: dict[str, PurePosixPath] = field(default_factory=dict)
    """Name as disks know it that see no case and no Unicode form → the name in the archive."""
    num_bytes: int = 0

    def claim(self, path: PurePosixPath) -> Path:
        """Return where a file goes; refuse a name that is there already, as file or folder."""
        if path in self.names or any(parent in self.names for parent in path.parents):
            raise _refused(self.archive, f"two of its entries are called {str(path)!r}")
        self._require_distinct(path)
        target = self.folder / path
        if target.exists():
            raise _refused(self.archive, f"{str(path)!r} is a file and a folder in it")
        self.names.add(path)
        return target

    def _require_distinct(self, path: PurePosixPath) -> None:
        """Refuse a name that another stands for on disks of macOS and Windows."""
        for each in (path, *path.parents):
            spelled = unicodedata.normalize("NFC", str(each).casefold())
            other = self.spellings.setdefault(spelled, each)
            if other != each:
                alike = f"{str(other)!r} and {str(each)!r}"
                raise _refused(self.archive, f"{alike} in it are one name on many disks")

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
    filter, PEP 706), names that occur twice or differ in case alone, and more than
    `MOST_EXPANSION` bytes for each of the archive's. Checksums inside the archive are verified.

    Raises:
        DataError: a dangerous, damaged or encrypted archive, or one without `top`.
        MachineFault: the disk is full, or the folder cannot be written.
    """
    target = _Target(archive, folder)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(target, top, report)
        else:
            _require_tar(archive)
            _untar(target, top, report)
    except tarfile.FilterError as error:
        raise _refused(archive, str(error)) from error
    except _DAMAGE as error:
        raise _refused(archive, f"it is damaged ({error})") from error
    except NotImplementedError as error:
        raise _refused(archive, f"it needs what is not supported here ({error})") from error
    except OSError as error:
        if (fault := fault_of(error, folder, archive.parent)) is not None:
            raise fault from error
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
            if entry.flag_bits & ENCRYPTED:
                raise _refused(target.archive, f"its entry {entry.filename!r} is encrypted")
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _refused(target.archive, f"its entry {entry.filename!r} is a link")
            place = target.claim(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            with pack.open(entry) as source, place.open("wb") as file:
                while block := source.read(BLOCK):
                    target.spend(len(block))
                    file.write(block)
            report(entry.header_offset + entry.compress_size, size)


def _require_tar(archive: Path) -> None:
    """Refuse what is no archive that we know, and a zip without the directory at its end."""
    with archive.open("rb") as file:
        magic = file.read(512)
    if magic.startswith(b"PK"):
        raise _refused(archive, "it is a zip that is cut off: the directory at its end is missing")
    if not magic.startswith(GZIP) and magic[257:262] != b"ustar":
        raise _refused(archive, "it is neither a .zip nor a .tar.gz")


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
