"""Files of a trial on their way between a study and a worker that does not see its folder.

`packed` and `unpack` take a folder to another machine; `Homecoming` writes what a worker sends into
the trial at home, under its lease, the record last of all.
"""

import io
import json
import os
import tarfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from audiocls.atomic import publish, write_bytes
from audiocls.store.trial import HISTORY, LEASE, RECORD, RESUME, TrialFolder

UNDERWAY = (RESUME, "attempt", "config.yaml", "log.txt")
"""What a trial resumes from, beside its history, and what it has said so far."""
STAYS = (LEASE,)
"""Says who trains it, and so belongs to the place."""
LATEST = "latest-run"
"""W&B's link to the newest of its runs."""


def packed(folder: Path, names: Collection[str] = ()) -> bytes:
    """Return the files below `folder` as a tar archive; of these `names` alone, if there are any.

    Folders that are linked, such as runs that a program keeps elsewhere, are packed as folders.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for file in _files(folder):
            name = file.relative_to(folder).as_posix()
            if not names or name in names:
                _add(archive, file, name)
    return content.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for top, inside, names in os.walk(folder, followlinks=True):
        inside[:] = sorted(name for name in inside if name != LATEST)
        files = (Path(top, name) for name in sorted(names))
        yield from (file for file in files if _travels(file))


def _travels(file: Path) -> bool:
    return (
        file.is_file() and not file.is_symlink() and file.name not in STAYS and not _is_half(file)
    )


def _is_half(file: Path) -> bool:
    """Whether a file is one that is being written beside its place."""
    return file.name.startswith(".") and file.suffix == ".tmp"


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    """Add what a file holds now: one that its writer replaces or extends is whole all the same."""
    content = file.read_bytes()
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), file.stat().st_mode & 0o777
    archive.addfile(member, io.BytesIO(content))


def members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file of an archive; raises `ValueError` for a path outside."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive.getmembers():
            path, file = PurePosixPath(member.name), archive.extractfile(member)
            if path.is_absolute() or ".." in path.parts or file is None:
                raise ValueError(f"{member.name!r} is no file of a study")
            yield member.name, file.read()


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of an archive below `folder`."""
    for name, text in members(content):
        write_bytes(folder / name, text)


@dataclass(frozen=True)
class Homecoming:
    """A trial at home, and the folder of its study."""

    study: Path
    trial: TrialFolder

    def add_rows(self, lines: Iterable[bytes], is_all: bool) -> None:
        """Append rows of the history; `is_all` if they are all that there are."""
        rows = [json.loads(line) for line in lines]
        if is_all:
            self.trial.write_history(rows)
        else:
            for row in rows:
                self.trial.append_history(row)

    def keep(self, content: bytes) -> None:
        """Write the files that a running trial resumes from; its history has been written before.

        Raises `LeaseLost` where another launch has taken the trial over.
        """
        self.trial.require_mine()
        unpack(content, self.trial.path)

    def finish(self, content: bytes) -> None:
        """Make the trial what it is in an archive of its study, and write what lies beside it.

        The record comes last. Raises `LeaseLost` as `keep` does.
        """
        self.trial.require_mine()
        prefix, record = f"trials/{self.trial.id}/", b""
        kept = {LEASE}
        for name, text in members(content):
            kept.add(name.removeprefix(prefix))
            if name == prefix + RECORD:
                record = text
            else:
                write_bytes(self.study / name, text)
        self._remove_others(kept)
        if record:
            publish(self.trial.path / RECORD, record)

    def _remove_others(self, kept: Collection[str]) -> None:
        for file in list(self.trial.path.rglob("*")):
            name = file.relative_to(self.trial.path).as_posix()
            if file.is_file() and name not in kept and not _is_half(file):
                file.unlink(missing_ok=True)


def rows_after(trial: TrialFolder, num_bytes: int) -> tuple[bytes, int]:
    """Return the whole lines of the history after its first bytes, and how many those are now."""
    try:
        with (trial.path / HISTORY).open("rb") as file:
            file.seek(num_bytes)
            whole, newline, _ = file.read().rpartition(b"\n")
    except FileNotFoundError:
        return b"", num_bytes
    return whole + newline, num_bytes + len(whole + newline)
