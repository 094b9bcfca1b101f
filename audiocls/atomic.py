"""Atomic writes: a reader sees the old file or the new one, never half of one."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step, also if this process is killed meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode())


def build_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return `folder`, filled by `make` if it does not exist yet, by one process of many.

    `make` gets an empty folder beside it, which is renamed when complete; other callers wait.
    A process killed meanwhile leaves no `folder` that could be mistaken for a complete one.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):  # freed by the kernel after a kill
        if not folder.exists():
            for left_behind in folder.parent.glob(f".{folder.name}.*.tmp"):
                shutil.rmtree(left_behind)  # by a process that was killed: we hold its lock
            beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
            beside.mkdir()
            try:
                make(beside)
                beside.rename(folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    return folder
