"""Fetching public data sets: download, verify, unpack, count; each step only if needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from audiocls.atomic import build_cache
from audiocls.audio.datasets import DataSet
from audiocls.audio.datasets.layout import raise_problems
from audiocls.audio.fetch.download import Report, Unreachable, download
from audiocls.audio.fetch.origins import ORIGINS, Origin, Remote
from audiocls.audio.fetch.unpack import unpack
from audiocls.digests import damaged, is_sealed
from audiocls.errors import DataError, UsageError, did_you_mean
from audiocls.formatting import join_names

__all__ = ["ORIGINS", "Fetched", "Origin", "Remote", "Report", "fetch", "origin_of"]


@dataclass(frozen=True)
class Fetched:
    """The folder of a data set, and whether it was complete before."""

    folder: Path
    was_there: bool


def origin_of(name: str) -> Origin:
    """Return the origin of a data set that can be downloaded.

    Raises:
        UsageError: no such data set, or one that is generated, or your own.
    """
    fetched = [known for known, origin in ORIGINS.items() if origin.remotes]
    if name not in ORIGINS:
        raise UsageError(
            f"no data set is called {name!r}; to fetch: {', '.join(fetched)}."
            + did_you_mean(name, fetched)
        )
    if name not in fetched:
        made = "audiocls data make synthetic" if name == "synthetic" else "bring your own files"
        raise UsageError(f"{name!r} cannot be fetched: {made}. To fetch: {', '.join(fetched)}.")
    return ORIGINS[name]


def fetch(origin: Origin, root: Path, report: Report, pause_s: float = 1.0) -> Fetched:
    """Make `origin` complete under `root`, resuming an interrupted call.

    An archive that was put into `root` by hand counts as downloaded; archives are removed once
    unpacked. `report` gets the bytes downloaded and unpacked; a failed connection is tried again
    after `pause_s` seconds.

    Raises:
        DataError: no network (the message has the steps by hand), a file other than the published
            one, a dangerous archive, or clips missing after unpacking.
    """
    root.mkdir(parents=True, exist_ok=True)
    folder = root / origin.folder
    with FileLock(root / f".{origin.name}.lock"):
        if folder.is_dir() and not list(_missing(origin, folder)):
            return Fetched(folder, was_there=True)
        for remote in origin.remotes:
            _get(origin, remote, root, report, pause_s)
        raise_problems(folder, _missing(origin, folder))
        for remote in origin.remotes:
            if remote.is_archive:
                (root / remote.file).unlink(missing_ok=True)
    return Fetched(folder, was_there=False)


def _get(origin: Origin, remote: Remote, root: Path, report: Report, pause_s: float) -> None:
    folder = root / origin.folder
    if remote.is_archive and folder.exists():
        way_out = "it is not the whole data set: remove the folder, or finish it, and fetch again"
        raise_problems(folder, [*_missing(origin, folder), way_out])
    try:
        file = download(remote, root if remote.is_archive else folder, report, pause_s)
    except Unreachable as error:
        raise DataError(f"{error}\n{by_hand(origin, remote, root)}") from error
    if remote.is_archive:
        unpacking = partial(report, f"unpacking {remote.file}")
        build_cache(folder, lambda beside: unpack(file, remote.top, beside, unpacking))


def require_as_unpacked(name: str, folder: Path) -> None:
    """Raise `DataError` if files of a folder that was fetched are not what was unpacked."""
    if is_sealed(folder):
        raise_problems(folder, _changed(name, folder))


def _changed(name: str, folder: Path) -> list[str]:
    wrong = damaged(folder)
    if not wrong:
        return []
    return [
        f"{len(wrong)} files are not what was unpacked: {join_names(wrong)}",
        f"remove the folder, and fetch it again: audiocls data fetch {name}",
    ]


def by_hand(origin: Origin, remote: Remote, root: Path) -> str:
    """Return the steps of a download by hand, for machines without a network."""
    path = (root if remote.is_archive else root / origin.folder) / remote.file
    lines = [
        "By hand:",
        f"  1. download {remote.url} where that is possible (about it: {origin.page})",
        f"  2. put the file, not unpacked, at {path}"
        if remote.is_archive
        else f"  2. put the file at {path}",
        f"  3. audiocls data fetch {origin.name} --root {root}   (checks what is there, resumes)",
    ]
    return "\n".join(lines)


def _missing(origin: Origin, folder: Path) -> Iterator[str]:
    """Yield how an unpacked data set differs from the published one."""
    if not origin.num_clips:
        yield from _short_lists(origin, folder)
        return
    data = TypeAdapter(DataSet).validate_python({"name": origin.name, "root": str(folder)})
    try:
        clips = data.table(folder).clips
    except DataError as error:
        yield str(error)
        return
    if is_sealed(folder):
        yield from _changed(origin.name, folder)
    absent = [clip.id for clip in clips if not clip.path.is_file()]
    if len(clips) != origin.num_clips:
        yield f"got {len(clips)} clips, published are {origin.num_clips}"
    if absent:
        yield f"{len(absent)} listed clips are not there: {join_names(absent)}"


def _short_lists(origin: Origin, folder: Path) -> Iterator[str]:
    """Yield lists that are missing, or whose rows are not as many as their header says."""
    for remote in origin.remotes:
        path = folder / remote.file
        if not path.is_file():
            yield f"there is no {remote.file}"
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        words = [word for line in lines[:3] for word in line.split()]
        counts = [word for word in words if word.startswith("num_segs=")]  # as `num_segs=20371,`
        num_rows = sum(not line.startswith("#") for line in lines)
        expected = int(counts[0].removeprefix("num_segs=").rstrip(",")) if counts else None
        if expected is not None and num_rows != expected:
            yield f"{remote.file}: got {num_rows} rows, its header says {expected}"
