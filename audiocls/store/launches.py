"""`Launches`: who works on a study now, and the request that all of them stop.

Each launch has a file in `launches/`, beside a lease that says it is alive. A request is a file
too, for no signal reaches another host or another container.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from audiocls.atomic import write_text
from audiocls.store.lease import LEASE_S, Lease, held
from audiocls.store.stored_file import Damaged, mapping_of, read, require_fields
from audiocls.writers import WRITER, has_ended, writer_name

FORGOTTEN_S = 86400.0
"""Silence after which what is left of another host's launch is removed."""


@dataclass(frozen=True)
class LaunchInfo:
    """One launch, for people and for others that want to join."""

    name: str
    """`<host>-<pid>-<8 hex>`."""
    started: str
    code: str = ""
    """Digest of the code that trains; empty until it is known, and for programs of the user's."""
    job: str = ""
    """The task of a cluster's scheduler that it is, such as `SLURM task 12_3`."""

    @property
    def who(self) -> str:
        """Host and process, for people."""
        match = WRITER.fullmatch(self.name)
        if match is None:
            return self.name
        own = ", ".join(filter(None, [f"process {match['pid']}", self.job]))
        return f"{match['host']} ({own})"


@dataclass(frozen=True)
class Launches:
    """The launches of one study, and `.stop` in its folder."""

    study: Path

    @contextmanager
    def joined(self, started: str, job: str = "") -> Iterator[LaunchInfo]:
        """Be listed meanwhile; what launches that have ended left is removed."""
        own = LaunchInfo(writer_name(), started, job=job)
        self._sweep()
        with held(Lease(self._file(own.name, ".lease"))):
            self.describe(own)
            try:
                yield own
            finally:
                self._file(own.name).unlink(missing_ok=True)

    def describe(self, own: LaunchInfo) -> None:
        """Write what is to be known of a launch that is listed."""
        write_text(self._file(own.name), json.dumps(asdict(own), indent=1))

    def alive(self) -> list[LaunchInfo]:
        """Return the launches that may be working now, the earliest first."""
        launches = [self._read(file) for file in self._files() if not has_ended(file.stem)]
        infos = [info for info in launches if info and self.silent_s(info) < 2 * LEASE_S]
        return sorted(infos, key=lambda info: (info.started, info.name))

    def silent_s(self, info: LaunchInfo) -> float:
        """Return for how long nothing was heard of a launch, in seconds by this host's clock."""
        return max(0.0, _age_s(self._file(info.name, ".lease")))

    def stop_token(self) -> str:
        """Return the last request to stop; a launch obeys one that was not there when it began."""
        try:
            return (self.study / ".stop").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def request_stop(self) -> None:
        """Ask all launches that work on the study now to stop, wherever they run."""
        write_text(self.study / ".stop", writer_name())

    def _file(self, name: str, ending: str = ".json") -> Path:
        return self.study / "launches" / f"{name}{ending}"

    def _files(self) -> list[Path]:
        return list((self.study / "launches").glob("*.json"))

    def _read(self, file: Path) -> LaunchInfo | None:
        with suppress(Damaged):
            return read(file, _info_in)
        return None

    def _sweep(self) -> None:
        """Remove what is left of launches that have ended, on this host for sure."""
        for file in self._files():
            lease = file.with_suffix(".lease")
            if has_ended(file.stem) or _age_s(lease) > FORGOTTEN_S < _age_s(file):
                lease.unlink(missing_ok=True)
                file.unlink(missing_ok=True)


def _age_s(file: Path) -> float:
    """Return the seconds since a file was written; infinitely many for one that is not there."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _info_in(content: bytes) -> LaunchInfo:
    require_fields(LaunchInfo, content)
    return LaunchInfo(**mapping_of(content))
