"""Folders of this machine: the cache, and `TemporaryFolders` of the processes of one launch.

The latter lie in the study, `tmp/<launch>/<process>/`, and not in the system's folder for such
files: W&B leaves some for each trial, and who is killed cleans up nothing.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from audiocls.atomic import write_text
from audiocls.writers import has_ended, writer_name

TEMPORARY = "AUDIOCLS_WORKER_TMPDIR"
"""Variable that tells a worker its own folder, which it may remove."""
OWNER = "owner"
"""File in a folder that names the process by which it is used."""
MOST_TRIES = 100


def own(folder: Path) -> None:
    """Note that this process uses a folder from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / OWNER, writer_name())


def is_used(folder: Path) -> bool:
    """Whether the process that has noted to use a folder may be alive."""
    try:
        owner = folder / OWNER
        return not has_ended(owner.read_text(encoding="utf-8"), owner.stat().st_mtime)
    except FileNotFoundError:  # also because the process has just removed the folder
        return False


class TemporaryFolders:
    """The folders of one launch, removed one by one and, on `close`, all together.

    What a killed launch left is removed by the next one of the study on the same host, but for the
    folders of processes that have outlived it.
    """

    def __init__(self, study: Path):
        self._all = study / "tmp"
        self._sweep()
        self._own = self._all / writer_name()
        self._make_own()

    def new(self) -> Path:
        """Return a new, empty folder."""
        self._make_own()
        return Path(tempfile.mkdtemp(dir=self._own, prefix=""))

    def _make_own(self) -> None:
        """Make the folder of this launch; another one may remove that of all, which is empty."""
        for _ in range(MOST_TRIES):
            with suppress(FileNotFoundError):
                self._own.mkdir(parents=True, exist_ok=True)
                return
        raise FileNotFoundError(errno.ENOENT, "is removed again and again", str(self._all))

    def remove(self, folder: Path) -> None:
        """Remove the folder of a process that has ended, or is about to."""
        shutil.rmtree(folder, ignore_errors=True)

    def close(self, in_use: Collection[Path] = ()) -> None:
        """Remove all folders of this launch but those that processes go on to use and remove."""
        for folder in _inside(self._own):
            if folder not in in_use:
                self.remove(folder)
        if not in_use:
            self.remove(self._own)
        self._sweep()
        with suppress(OSError):  # another launch has its folders there
            self._all.rmdir()

    def _sweep(self) -> None:
        """Remove the folders of launches that are known to have ended."""
        for folder in _inside(self._all):
            if has_ended(folder.name) and not any(map(is_used, _inside(folder))):
                self.remove(folder)


def _inside(folder: Path) -> list[Path]:
    """Return what lies in a folder; nothing where it is not there, or not any more."""
    with suppress(FileNotFoundError):
        return list(folder.iterdir())
    return []


def cache_folder() -> Path:
    """Return where decoded audio and features are kept.

    That is `AUDIOCLS_CACHE`, or else the user's cache folder.
    """
    if chosen := os.environ.get("AUDIOCLS_CACHE"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("audiocls")
