"""`claimed`: the devices of this machine that no other launch of the user works on.

Launches that know nothing of each other, such as agents or the tasks of a job array, spread over
cores and GPUs by themselves. A kernel's lock is the right claim here: it is freed with its process.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from audiocls.atomic import write_text
from audiocls.errors import MachineFault, UsageError
from audiocls.execution.accelerators import EXCLUSIVE
from audiocls.execution.devices import Slots, claim_of, core_ids, grouped, kind_name, kind_of, slots
from audiocls.formatting import plural
from audiocls.writers import WRITER, has_ended, writer_name

MOST_NAMED = 3
"""Devices of other launches that a note names."""


@dataclass
class ClaimedSlots:
    """One device a worker, and the claims on them."""

    devices: Slots
    locks: list[FileLock] = field(default_factory=list)
    note: str = ""
    """Why there are fewer than the machine has devices; empty where there are as many."""

    def release(self) -> None:
        """Leave the devices to other launches."""
        for lock in self.locks:
            _note_of(lock).unlink(missing_ok=True)
            lock.release()
        self.locks.clear()


def claimed(
    devices: str,
    num_workers: int | None,
    most: int | None = None,
    is_native: bool = False,
    per_trial: int = 1,
) -> ClaimedSlots:
    """Return the slots of a launch, at most `most`, on devices that are free now.

    Without a number of workers there is one for each free device. Where no core is free, one worker
    shares them; raises `UsageError` where no accelerator is, or the machine has no such device.
    """
    names = list(dict.fromkeys(slots(devices, None, is_native)))
    places = len(slots(devices, num_workers, is_native, per_trial)[:most])
    if names == ["cpu"]:
        cores = [f"core-{number}" for number in core_ids()]
        locks = list(_free(cores, places * per_trial))
        count = places if num_workers else max(1, len(locks) // per_trial)
        note = _why_fewer(count, places, cores, locks)
        return ClaimedSlots(grouped(["cpu"] * (count * per_trial), per_trial), locks, note)
    by_name = {claim_of(name): name for name in names if name != "cpu"}
    locks = list(_free(by_name, places * per_trial))
    free = [by_name[Path(lock.lock_file).stem] for lock in locks] + ["cpu"] * ("cpu" in names)
    free = free if _folder() else names
    free = grouped(_of_one_kind(free, locks), per_trial)
    is_exclusive = kind_name(names[0]) in EXCLUSIVE
    if not free:
        shared = (
            "" if is_exclusive else ", or let one launch have several trials on each: --workers N"
        )
        what, holders = "TPU" if names[0].startswith("tpu") else "GPU", map(_holder, by_name)
        number = "no" if per_trial == 1 else f"not {per_trial}"
        is_free = f"{number} {what}{' is' if per_trial == 1 else 's are'} free"
        raise UsageError(f"{is_free}: {'; '.join(holders)}. Wait for it or stop it{shared}")
    count = min(places, len(free)) if num_workers is None or is_exclusive else places
    note = "" if is_exclusive else _why_fewer(count, places, by_name, locks)
    return ClaimedSlots([free[i % len(free)] for i in range(count)], locks, note)


def _why_fewer(count: int, wanted: int, names: Iterable[str], locks: list[FileLock]) -> str:
    """Return why there are fewer workers than wanted, and how to have them; else an empty text."""
    if count >= wanted:
        return ""
    own = {Path(lock.lock_file).stem for lock in locks}
    held = [_holder(name) for name in names if name not in own]
    shown = "; ".join([*held[:MOST_NAMED], *(["…"] if held[MOST_NAMED:] else [])])
    fewer = f"{plural(count, 'worker')} instead of {wanted}: {shown}"
    return f"{fewer}; to run {wanted} anyway: --workers {wanted}"


def _of_one_kind(free: Slots, locks: list[FileLock]) -> Slots:
    """Return the devices of the kind that most are of; leave the others to other launches."""
    counts = Counter(map(kind_of, free))
    kept = [name for name in free if counts and kind_of(name) == counts.most_common(1)[0][0]]
    for name, lock in list(zip(free, locks, strict=False)):
        if name not in kept:
            ClaimedSlots([], [lock]).release()
            locks.remove(lock)
    return kept


def _free(names: Iterable[str], most: int) -> Iterable[FileLock]:
    """Yield locks that were got, at most `most`; none where the machine keeps no such files."""
    if (folder := _folder()) is None:
        return
    for name in names:
        if most == 0:
            return
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        _note(_note_of(lock))
        most -= 1
        yield lock


def _folder() -> Path | None:
    """Return where claims are kept; nowhere if the folder is another user's."""
    folder = Path(tempfile.gettempdir(), f"audiocls-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder if folder.stat().st_uid == os.getuid() else None
    except OSError:
        return None


def _note_of(lock: FileLock) -> Path:
    """Return the file that says who holds a lock."""
    return Path(lock.lock_file).with_suffix(".holder")


def _note(file: Path) -> None:
    """Write who holds a device: for people, so that a launch goes on where that cannot be done."""
    with suppress(OSError, MachineFault):
        write_text(file, f"{writer_name()}\n{Path.cwd()}")


def _holder(name: str) -> str:
    """Return who holds a device; one that has just begun has not said so yet."""
    folder, note = _folder(), ""
    with suppress(OSError):
        note = (folder / f"{name}.holder").read_text("utf-8", "replace") if folder else ""
    writer, _, place = note.partition("\n")
    match = WRITER.fullmatch(writer)
    if match is None or has_ended(writer):
        return f"{name} is held by another launch"
    return f"{name} is held by process {match['pid']} in {place}"
