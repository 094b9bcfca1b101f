"""Which devices this machine offers, found without torch."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from audiocls.errors import UsageError

Slots = list[str]
"""One device a worker, such as `["cuda:0", "cuda:1"]` or `["cpu", "cpu"]`."""


def slots(devices: str, num_workers: int | None) -> Slots:
    """One worker per GPU or, without one, per core; `num_workers` spreads others over them.

    Raises `UsageError` for devices that this machine does not have.
    """
    found = found_gpus()
    if devices == "auto":
        names = found or ["cpu"]
    else:
        names = devices.split(",")
        for name in names:
            if name != "cpu" and name not in found:
                allowed = ", ".join(["auto", "cpu", *found])
                raise UsageError(f"--devices: got {name!r}; this machine has: {allowed}")
    count = num_workers or (len(names) if names != ["cpu"] else num_cores())
    return [names[i % len(names)] for i in range(count)]


def num_cores() -> int:
    """Cores this process may use, which a container may have narrowed."""
    return len(core_ids())


def core_ids() -> Sequence[int]:
    """The cores themselves, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


@contextmanager
def unpinned() -> Iterator[None]:
    """Threads started inside may use every core, though this process is pinned to one."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def found_gpus() -> list[str]:
    """CUDA devices by torch's names, in the order a worker would see them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [f"cuda:{i}" for i, _ in enumerate(d for d in visible.split(",") if d.strip())]
    if shutil.which("nvidia-smi") is None:
        return []
    listing = subprocess.run(
        ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=False
    )
    lines = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return [f"cuda:{i}" for i, _ in enumerate(lines)]
