"""What a clip's path has to be before a decoder sees it: a regular file that was written whole."""

import os
import stat
from pathlib import Path

from audiocls.audio.listing import shown
from audiocls.errors import DataError

ALLOWED = "allowed are readable wav, flac, ogg or mp3 files with at least one sample"
_LEAST_SPARSE = 1 << 26
"""Bytes from which a file is examined for parts that were never written."""
_MOST_SPARSE = 0.9
"""Share of a file that may never have been written."""


def require_file(path: Path) -> None:
    """Raise `DataError` for what is missing, no regular file, empty or hardly written."""
    try:
        status = path.stat()
        path.name.encode()
    except FileNotFoundError as error:
        raise unusable(
            path, "no such file", "check the path, or data.root of a data set"
        ) from error
    except UnicodeEncodeError as error:
        raise unusable(path, "a name that is no UTF-8", "rename the file") from error
    except (OSError, ValueError) as error:
        raise unusable(
            path, f"no access ({error})", "check the path and its permissions"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise unusable(path, "a folder", "name a file inside it")
    if not stat.S_ISREG(status.st_mode):
        raise unusable(path, "a device, pipe or socket", "name a regular file")
    if status.st_size == 0:
        raise unusable(path, "an empty file (0 bytes)", "download or record the file again")
    if status.st_size >= _LEAST_SPARSE:
        _check_is_written(path, status.st_size)


def _check_is_written(path: Path, size: int) -> None:
    """Raise `DataError` for a large file most of which is a hole: a copy that never ended."""
    written, end = 0, 0
    try:
        with path.open("rb") as file:
            while end < size:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
                end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
                written += end - start
    except (OSError, AttributeError):
        # No data after `end`; or a system that knows no holes, where nothing can be said.
        written = written if end else size
    if written < (1 - _MOST_SPARSE) * size:
        got = f"{size} bytes of which {written} were ever written (a download or copy cut off)"
        raise unusable(path, got, "download or record the file again")


def unusable(path: Path, got: str, next_step: str) -> DataError:
    """Return the error that names a file, what was got of it, what is allowed and what to do."""
    return DataError(f"{shown(path)}: got {got}; {ALLOWED}; {next_step}.")
