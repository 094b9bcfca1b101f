"""The lease of a trial: who holds it may write into the trial's folder."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"
FILES = (
    *(LOCK, "attempt", "config.yaml", "history.jsonl", "log.txt", "predictions.npz", "resume.pt"),
    *("checkpoint.json", "checkpoint.safetensors", "parameters.json", "parameters.yaml"),
    "stage.json",
)
"""What is written while a trial runs."""

log = logging.getLogger(__name__)


@contextmanager
def lease(folder: Path, timeout_s: float) -> Iterator[bool]:
    """Hold the trial in `folder`; yields whether it could be had within `timeout_s`.

    The kernel releases the lock with its process, so no lease outlives a crash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make_way(folder, FILES)
    with _locked(folder, timeout_s) as is_mine:
        yield is_mine


def is_leased(folder: Path) -> bool:
    """Whether a process holds the trial in `folder`."""
    if not (folder / LOCK).is_file():
        return False
    with _locked(folder, 0) as is_mine:
        return not is_mine


@contextmanager
def _locked(folder: Path, timeout_s: float) -> Iterator[bool]:
    lock = FileLock(folder / LOCK)
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
