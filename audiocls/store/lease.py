"""`Lease`: a claim on a part of a study that holds between hosts which share its folder.

A kernel's lock (`flock`) is none there: many network file systems keep it to the one host. A lease
is a file that its holder makes exclusively and renews; it is taken over at once from a process of
the same host that has ended, and from another host's after `LEASE_S` without a renewal, on the
clock of who waits for it.
"""

import functools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from filelock import LeaseSettingsMismatch, SoftFileLease, Timeout

from audiocls.errors import AudioclsError, UsageError
from audiocls.machine import writing
from audiocls.store.stored_file import Damaged
from audiocls.writers import is_alive, writer_name

LEASE_S = 60.0
"""The same for all that share a study: whoever waits must know how long a holder may be silent."""
HEARTBEAT_S = 15.0
LEASE_BYTES = 512
"""At most, of the name and token of a holder."""
POLL_S = 0.05
NAMELESS_S = 5.0
"""From the making of a lease to the name of its holder in it, at most."""
REREAD_AFTER_S = (0.0, 0.05, 0.2)
"""Waits before a look at a lease that seems lost: who checks an old one may move it for a moment,
and puts it back."""


class LeaseLost(AudioclsError):
    """Another launch has taken over what this one was about to write."""


class Holder(NamedTuple):
    """The process that holds a lease."""

    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Lease:
    """A claim that this process holds, or tries to get; the same value over several tries.

    How long another host has been silent is known only to who has looked before.
    """

    def __init__(self, file: Path):
        self.file = file
        self._claim = SoftFileLease(
            file, lease_duration=LEASE_S, heartbeat_interval=HEARTBEAT_S, thread_local=False
        )
        self._empty: tuple[tuple[int, int], float] | None = None
        """Which nameless lease was seen, and when."""

    @property
    def token(self) -> str:
        """What distinguishes this hold from any other; empty where it is not held."""
        return self._claim.token or ""

    def take(self, timeout_s: float = 0.0) -> bool:
        """Return whether it is held now; wait for others up to `timeout_s`.

        Raises `Damaged` where something else has its place.
        """
        deadline = time.monotonic() + timeout_s
        with writing(self.file, LEASE_BYTES):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            while not self._try() and (left := deadline - time.monotonic()) > 0:
                time.sleep(min(POLL_S, left))
        return self._claim.is_locked

    def _try(self) -> bool:
        try:
            self._claim.acquire(timeout=0)
            return True
        except LeaseSettingsMismatch as error:
            raise UsageError(
                f"{self.file}: held by another version of audiocls; {error}"
            ) from error
        except IsADirectoryError as error:
            raise Damaged(self.file, str(error.strerror), "remove it") from error
        except Timeout:
            self._drop_if_empty()
        return False

    def _drop_if_empty(self) -> None:
        """Remove a lease whose holder was killed before it wrote its name, once that is clear."""
        with suppress(FileNotFoundError):
            status = self.file.stat()
            key = (status.st_ino, status.st_ctime_ns)
            if status.st_size or self._empty is None or self._empty[0] != key:
                self._empty = None if status.st_size else (key, time.monotonic())
            elif time.monotonic() - self._empty[1] > NAMELESS_S:
                self.file.unlink()

    def give_back(self) -> None:
        """End the hold; what another launch has taken over is left to it."""
        with writing(self.file):
            self._claim.release()


@contextmanager
def held(lease: Lease, timeout_s: float = 0.0) -> Iterator[bool]:
    """Hold a lease meanwhile; yields whether it could be had within `timeout_s`."""
    try:
        yield lease.take(timeout_s)
    finally:
        lease.give_back()


def holder_of(file: Path) -> Holder | None:
    """Return who holds a lease; none where nobody does, or a process of this host that has ended.

    Of another host it is not known whether it lives.
    """
    owner = SoftFileLease(file).owner
    if owner is None or (owner.hostname == _this_host() and not is_alive(owner.pid)):
        return None
    return Holder(owner.hostname, owner.pid)


def named_holder_of(file: Path) -> str:
    """Return who holds a lease, for people: one that has just taken it has no name in it yet."""
    return str(holder_of(file) or "another process")


def require_token(file: Path, token: str) -> None:
    """Raise `LeaseLost` unless the hold with this token is the present one."""
    for wait_s in REREAD_AFTER_S:
        if wait_s:  # a sleep of none gives the processor away
            time.sleep(wait_s)
        owner = SoftFileLease(file).owner
        if owner is not None and owner.token == token:
            return
    raise LeaseLost(f"{file.parent}: another launch has taken it over")


@functools.lru_cache(maxsize=1)
def _this_host() -> str:
    """Return what leases of this process have as their host."""
    with tempfile.TemporaryDirectory() as folder:
        lease = SoftFileLease(Path(folder, "lease"))
        with lease:
            owner = lease.owner
    assert owner is not None, "it is held"
    return owner.hostname


def require_shareable(folder: Path) -> None:
    """Raise `UsageError` unless the file system of `folder` can do what leases and records need.

    That is exclusive creation, hard links and renaming, as one process sees them. That other hosts
    see the same files cannot be told from here.
    """
    probe = folder / f".probe-{writer_name()}"
    linked, renamed = probe.with_suffix(".linked"), probe.with_suffix(".renamed")
    what = "create files exclusively"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with probe.open("x"), suppress(FileExistsError):
            probe.open("x").close()
            raise OSError("a file was created twice")
        what = "make hard links"
        os.link(probe, linked)
        what = "rename files"
        linked.replace(renamed)
    except OSError as error:
        raise _refusal(folder, what, error) from error
    finally:
        for file in (probe, linked, renamed):
            with suppress(OSError):
                file.unlink()


def _refusal(folder: Path, what: str, error: OSError) -> Exception:
    from audiocls.machine import fault_of

    if (fault := fault_of(error)) is not None:
        return fault
    return UsageError(
        f"{folder}: no study can be kept there, for one cannot {what}: {error}; choose another "
        "folder with --runs DIR or AUDIOCLS_RUNS"
    )
