"""`TemporaryFolders`: where the processes of one launch keep their temporary files.

They lie in the study, `tmp/<launch>/<process>/`, and not in the system's folder for such files: W&B
leaves some for each trial, and who is killed cleans up nothing.
"""

import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

TEMPORARY = "AUDIOCLS_WORKER_TMPDIR"
"""Variable that tells a worker its own folder, which it may remove."""


class TemporaryFolders:
    """The folders of one launch, removed one by one and, on `close`, all together.

    What a killed launch left is removed by the next one of the study: the kernel has freed its
    lock.
    """

    def __init__(self, study: Path):
        self._all = study / "tmp"
        self._gate = FileLock(study / ".tmp.lock")
        with self._gate:
            self._all.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self._own = Path(tempfile.mkdtemp(dir=self._all, prefix=""))
            self._lock = FileLock(self._own / ".lock")
            self._lock.acquire()

    def new(self) -> Path:
        """Return a new, empty folder."""
        return Path(tempfile.mkdtemp(dir=self._own, prefix=""))

    def remove(self, folder: Path) -> None:
        """Remove the folder of a process that has ended, or is about to."""
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove all folders of this launch."""
        with self._gate:
            self.remove(self._own)
            self._lock.release()
            self._sweep()
            if not any(self._all.iterdir()):
                self._all.rmdir()

    def _sweep(self) -> None:
        """Remove folders whose launch has ended: nobody holds their lock."""
        for folder in self._all.iterdir():
            lock = FileLock(folder / ".lock")
            try:
                lock.acquire(timeout=0)
            except (Timeout, OSError):
                continue
            self.remove(folder)
            lock.release()
