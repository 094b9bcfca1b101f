"""Download one file over HTTP, resumed after an interruption; the only module with network access.

Written on urllib: pooch, the usual library for this, restarts every download from its beginning,
which is no good for gigabytes over an unreliable connection.
"""

import hashlib
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from audiocls.audio.fetch.origins import Remote
from audiocls.digests import sync
from audiocls.errors import DataError
from audiocls.machine import writing

Report = Callable[[str, int, int | None], None]
"""Gets the present task, its bytes done, and all its bytes if known."""

Progress = Callable[[int, int | None], None]

BLOCK = 1 << 18
TIMEOUT_S = 30.0
ATTEMPTS, FIRST_ATTEMPTS = 5, 2
"""Attempts in a row without a new byte: of a download that has begun, and of one that has not."""


class Unreachable(DataError):
    """Raised when the file cannot be had: no network, or the server refuses."""


def download(remote: Remote, folder: Path, report: Report, pause_s: float = 1.0) -> Path:
    """Download `remote` into `folder` and verify it, unless the file exists already.

    A partial download lies in `NAME.part`, also after a kill, and the next call resumes it. After
    a broken connection it waits for `pause_s` seconds, each time twice as long.

    Raises:
        Unreachable: no connection, or the server refuses.
        DataError: the file's size or checksum is not the published one.
    """
    path = folder / remote.file
    if path.exists():
        verify(remote, path, report)
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _complete(remote, part, report, pause_s)
    try:
        verify(remote, part, report)
    except DataError:
        part.unlink()  # resuming from its end would never make it right
        raise
    sync(part)
    return part.rename(path)


def verify(remote: Remote, path: Path, report: Report) -> None:
    """Check size and checksum, as far as they are published.

    Raises:
        DataError: the file is not the published one.
    """
    size = path.stat().st_size
    if remote.num_bytes is not None and size != remote.num_bytes:
        raise _not_as_published(path, f"{size} bytes", f"{remote.num_bytes} bytes")
    if remote.checksum is not None:
        report(f"checking {remote.file}", size, size)
        algorithm, _, expected = remote.checksum.partition(":")
        with path.open("rb") as file:
            got = hashlib.file_digest(file, algorithm).hexdigest()
        if got != expected:
            raise _not_as_published(path, f"{algorithm} {got}", expected)


def _not_as_published(path: Path, got: str, expected: str) -> DataError:
    return DataError(
        f"{path}: got {got}, published is {expected}. Remove it if it still exists, and fetch it "
        "again."
    )


def _complete(remote: Remote, part: Path, report: Report, pause_s: float) -> None:
    """Fill `part` to its end, over as many connections as it takes."""
    failures, start = 0, _size(part)
    while True:
        before = _size(part)
        try:
            if _continue(remote, part, report):
                return
            problem = "the connection broke off"
        except urllib.error.HTTPError as error:
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise _refused(remote, error) from error
            problem = f"the server answered {error.code} {error.reason}"
        except (OSError, HTTPException) as error:
            problem = str(getattr(error, "reason", error)) or type(error).__name__
        failures = 1 if _size(part) > before else failures + 1
        if failures >= (ATTEMPTS if _size(part) > start else FIRST_ATTEMPTS):
            raise Unreachable(f"{remote.url} cannot be fetched: {problem}.")
        time.sleep(pause_s * 2 ** (failures - 1))


def _continue(remote: Remote, part: Path, report: Report) -> bool:
    """Download over one connection; return whether the file is complete after it."""
    start = _size(part)
    if remote.num_bytes is not None and start >= remote.num_bytes:
        return True  # `verify` says whether it is right
    request = urllib.request.Request(remote.url, headers=_headers(start))
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return _is_whole(start, error, part)
    with response:
        return _receive(response, part, start, partial(report, f"fetching {remote.file}"))


def _headers(start: int) -> dict[str, str]:
    # No compression: a range would count compressed bytes, not those that arrive.
    headers = {"User-Agent": "audiocls", "Accept-Encoding": "identity"}
    return headers | ({"Range": f"bytes={start}-"} if start else {})


def _receive(response: HTTPResponse, part: Path, start: int, report: Progress) -> bool:
    """Append the response, or start over if the server sends the file from its beginning."""
    if _offset(response) != start:
        start = 0
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    with writing(part, total and total - start), part.open("r+b" if start else "wb") as file:
        file.seek(start)
        report(start, total)
        while block := response.read(BLOCK):
            file.write(block)
            report(file.tell(), total)
        return total is None or file.tell() == total


def _offset(response: HTTPResponse) -> int:
    """Return the first byte of a response; 0 for servers without support for ranges."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match and response.status == HTTPStatus.PARTIAL_CONTENT else 0


def _is_whole(start: int, error: urllib.error.HTTPError, part: Path) -> bool:
    """Whether a partial file is complete after a 416; if it is too long it is deleted."""
    match = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
    is_whole = match is not None and int(match[1]) == start
    if not is_whole:
        part.unlink()
    return is_whole


def _refused(remote: Remote, error: urllib.error.HTTPError) -> Unreachable:
    return Unreachable(
        f"{remote.url} cannot be fetched: the server answered {error.code} {error.reason}."
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
