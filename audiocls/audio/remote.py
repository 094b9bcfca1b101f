"""Data sets at a URL that fsspec knows, such as s3://bucket/folder: copied into the cache, once.

A copy is of what was listed at the URL: names, sizes, and tags or times of change. Where one of
these has changed, all is fetched anew. Only this module imports fsspec.
"""

import functools
import hashlib
import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from audiocls.atomic import build_once, write_text
from audiocls.digests import damaged, seal
from audiocls.errors import AudioclsError, DataError, UsageError, did_you_mean
from audiocls.extras import required
from audiocls.formatting import join_names, plural
from audiocls.machine.disk import NO_ROOM

log = logging.getLogger(__name__)

COPIES, FILES, LAST = "remote", "files", "last"
LISTED_S = 30.0
"""A process lists a URL again after that time."""
VERSIONS = (
    *("ETag", "etag", "md5Hash", "checksum", "blob_id", "sha", "CRC"),
    *("mtime", "LastModified", "last_modified", "updated", "modify", "modificationTime", "created"),
)
"""Keys by which fsspec's backends say which version of a file is there, the surest first."""
PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")


class Unreachable(DataError):
    """Raised where a URL cannot be listed or fetched."""


@dataclass(frozen=True)
class RemoteFile:
    """A file at a URL."""

    name: str
    """Its path below the URL."""
    num_bytes: int | None
    version: str
    """Its tag or time of change."""
    address: str
    """Its path in the backend."""


def is_url(root: str | None) -> TypeGuard[str]:
    """Whether data lies at a URL rather than in a folder.

    >>> is_url("s3://sounds/birds"), is_url("zip::https://host/birds.zip"), is_url("data/birds")
    (True, True, False)
    """
    return root is not None and ("://" in root or "::" in root)


def local_copy(url: str, cache: Path) -> Path:
    """Return the folder that holds the files at a URL; they are fetched unless they were before.

    Where the URL cannot be listed, these are the files that were fetched last, with a warning.

    Raises:
        UsageError: fsspec has no backend for it here, or it holds a password.
        DataError: it cannot be read, or holds no files.
    """
    if PASSWORD.search(url):
        raise UsageError(
            "data.root: got a URL with a password, which would be kept in the study; leave it out, "
            "and give it as the backend's environment variables or in fsspec's own configuration"
        )
    try:
        files = _listed(url, int(time.monotonic() / LISTED_S))
    except Unreachable as error:
        if (known := last_copy(url, cache)) is None:
            raise
        log.warning("%s. What was fetched from there last is used: %s", error, known)
        return known
    copy = _copies(url, cache) / _digest(files)
    build_once(copy, partial(_fetch, url, files), sum(file.num_bytes or 0 for file in files))
    if last_copy(url, cache) != copy / FILES:
        write_text(copy.parent / LAST, copy.name)
    return copy / FILES


def last_copy(url: str, cache: Path) -> Path | None:
    """Return the folder of the files that were fetched from a URL last, if any; asks no network."""
    copies = _copies(url, cache)
    try:
        folder = copies / (copies / LAST).read_text(encoding="utf-8") / FILES
    except OSError:
        return None
    return folder if folder.is_dir() else None


def require_intact(url: str, cache: Path) -> None:
    """Raise `DataError` if files are not what was fetched from a URL."""
    copy = last_copy(url, cache)
    if copy is not None and (wrong := damaged(copy.parent)):
        raise DataError(
            f"{copy}: {plural(len(wrong), 'file')} not as fetched from {url}: {join_names(wrong)}. "
            f"Remove {copy.parent}, and start again: all is fetched anew"
        )


def _copies(url: str, cache: Path) -> Path:
    return cache.absolute() / COPIES / hashlib.sha256(url.encode()).hexdigest()[:16]


def _digest(files: tuple[RemoteFile, ...]) -> str:
    """Return 16 hex digits of a listing."""
    return hashlib.sha256(json.dumps([astuple(each) for each in files]).encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=16)
def _listed(url: str, period: int) -> tuple[RemoteFile, ...]:
    """Return the files at a URL by name; `period` is when, so that it is listed anew later."""
    with _reaching(url):
        system, top = _opened(url)
        system.invalidate_cache()
        entries: Mapping[str, Mapping[str, Any]] = system.find(top, detail=True)
    files = sorted(
        (
            RemoteFile(path.removeprefix(top).lstrip("/"), info.get("size"), _version(info), path)
            for path, info in entries.items()
            if not path.endswith("/")
        ),
        key=lambda file: file.name,
    )
    _require_folder(url, files)
    return tuple(files)


def _require_folder(url: str, files: list[RemoteFile]) -> None:
    """Raise `DataError` for a listing that is none of a folder whose changes would be noticed."""
    if not files:
        raise DataError(
            f"data.root={url}: there are no files, or it cannot be reached; wanted the URL of the "
            "data's folder"
        )
    if any(not file.name or ".." in PurePosixPath(file.name).parts for file in files):
        raise DataError(
            f"data.root={url}: wanted the URL of a folder, and this is one of a file; what an "
            "archive holds is a folder as well: zip::URL or tar::URL"
        )
    if unknown := [file.name for file in files if not file.version]:
        raise DataError(
            f"data.root={url}: lists neither a tag nor a time of change of {join_names(unknown)}, "
            "so a change would go unnoticed. Put the files into an archive, and give zip::URL"
        )


def _version(info: Mapping[str, Any]) -> str:
    return next((str(info[key]) for key in VERSIONS if info.get(key)), "")


def _fetch(url: str, files: tuple[RemoteFile, ...], folder: Path) -> None:
    """Copy files into a new folder, and seal it."""
    num_bytes = sum(file.num_bytes or 0 for file in files)
    log.warning("fetching %s: %s, %.1f MB", url, plural(len(files), "file"), num_bytes / 1e6)
    places = [folder / FILES / file.name for file in files]
    for parent in {place.parent for place in places}:
        parent.mkdir(parents=True, exist_ok=True)
    with _reaching(url):
        system, _ = _opened(url)
        system.get([file.address for file in files], [str(place) for place in places])
    cut = [
        file.name
        for file, place in zip(files, places, strict=True)
        if file.num_bytes is not None and place.stat().st_size != file.num_bytes
    ]
    if cut:
        raise Unreachable(
            f"data.root={url}: {plural(len(cut), 'file')} of another size than listed: "
            f"{join_names(cut)}. Is somebody writing there? Start again when it is complete"
        )
    seal(folder)


def _opened(url: str) -> tuple[Any, str]:
    """Return the backend of a URL, and the path of the data in it."""
    with required(f"data.root={url}"):
        import fsspec
        from fsspec.core import url_to_fs
    protocol = re.split("::|://", url)[0]
    known = fsspec.available_protocols()
    if protocol not in known:
        hint = did_you_mean(protocol, known)
        raise UsageError(f"data.root={url}: fsspec has no protocol {protocol!r}.{hint}")
    try:
        system, top = url_to_fs(url)
    except ImportError as error:  # says what to install
        raise UsageError(f"data.root={url}: {error}, on every machine that trains") from error
    return system, str(top)


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    """Raise `Unreachable` for what a backend raises: it may be anything."""
    try:
        yield
    except AudioclsError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        why = str(error).strip().partition("\n")[0] or "no reason given"
        raise Unreachable(
            f"data.root={url}: cannot be read ({type(error).__name__}: {why}). Check the URL, the "
            "network, and that the backend finds credentials here"
        ) from error
