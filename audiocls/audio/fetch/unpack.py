"""Unpack an archive into a folder, and never write outside it."""

import gzip
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from audiocls.errors import DataError

Report = Callable[[int, int], None]

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    KeyError,  # a link to nothing
)


def unpack(archive: Path, top: str, folder: Path, report: Report) -> None:
    """Unpack the folder `top` of a .zip or .tar.gz into the existing `folder`.

    `report` gets the bytes of the archive done and of the whole archive. Entries that would land
    elsewhere, by `..`, an absolute path or a link, are refused, as are devices (tarfile's `data`
    filter, PEP 706). Checksums inside the archive are verified.

    Raises:
        DataError: a dangerous or damaged archive, or one without `top`.
    """
    try:
        if zipfile.is_zipfile(archive):
            num_files = _unzip(archive, top, folder, report)
        else:
            num_files = _untar(archive, top, folder, report)
    except tarfile.FilterError as error:
        raise _refused(archive, str(error)) from error
    except _DAMAGE as error:
        raise _refused(archive, f"it is damaged ({error})") from error
    if not num_files:
        raise _refused(archive, f"it holds no files under {top!r}")


def _unzip(archive: Path, top: str, folder: Path, report: Report) -> int:
    num_files, size = 0, archive.stat().st_size
    with zipfile.ZipFile(archive) as pack:
        for entry in pack.infolist():
            path = _inside(archive, top, entry.filename)
            if path is None or entry.is_dir():
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with pack.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            num_files += 1
            report(entry.header_offset + entry.compress_size, size)
    return num_files


def _untar(archive: Path, top: str, folder: Path, report: Report) -> int:
    num_files, size = 0, archive.stat().st_size
    with archive.open("rb") as file, tarfile.open(fileobj=file) as pack:
        for entry in pack:
            path = _inside(archive, top, entry.name)
            if path is None:
                continue
            pack.extract(entry.replace(name=str(path), deep=False), folder, filter="data")
            num_files += entry.isfile()
            report(file.tell(), size)
    return num_files


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
