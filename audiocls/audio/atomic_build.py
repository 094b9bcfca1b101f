"""Files that many processes want and one of them makes: the cache's only writing rule."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def build_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make` if it is not there yet.

    The first caller makes it beside and renames it; the others wait. A process killed while
    making leaves nothing that could be taken for the real thing, and the kernel frees its lock.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
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
