"""Devices of this machine, found without torch, and the environment of a process on one of them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from audiocls.errors import UsageError
from audiocls.execution.gpus import listed_gpus, visible_gpus
from audiocls.execution.temporary import TEMPORARY

PerDevice = int | Literal["auto"]
"""Trials that a worker trains at once; `auto`: as many as its device has memory for."""
Slots = list[str]
"""One device a worker, such as `["cuda:0", "cuda:1"]` or `["cpu", "cpu"]`."""

# Measured on two cores with a small CNN: a tuned allocator and huge pages give 1.2x (large blocks
# are kept instead of returned to the kernel after every step), and one thread a worker avoids the
# collapse of several multi-threaded processes on one machine.
LARGE = str(4 << 30)

TUNED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": LARGE,
    "MALLOC_TRIM_THRESHOLD_": LARGE,
    "MALLOC_TOP_PAD_": str(64 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "PYTHONUNBUFFERED": "1",
    "WANDB_ERROR_REPORTING": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it cuBLAS has no deterministic algorithms
}
"""Environment variables of a worker; effective only if set before its Python starts."""


def slots(devices: str, num_workers: int | None) -> Slots:
    """Return one slot per GPU or, without one, per core; `num_workers` slots share the devices.

    Raises `UsageError` for devices that this machine does not have.
    """
    gpus = available_gpus()
    if devices == "auto":
        names = gpus or ["cpu"]
    else:
        names = devices.split(",")
        for name in names:
            if name != "cpu" and name not in gpus:
                allowed = ", ".join(["auto", "cpu", *gpus])
                raise UsageError(f"--devices: got {name!r}; this machine has: {allowed}")
    count = num_workers or (len(names) if names != ["cpu"] else num_cores())
    return [names[i % len(names)] for i in range(count)]


def per_device(text: str) -> PerDevice:
    """Return the trials at once that `--per-device` asks for; raise `UsageError` for others.

    >>> per_device("4"), per_device("auto")
    (4, 'auto')
    """
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"--per-device: got {text!r}; allowed: auto, or a number of 1 or more")
    return int(text)


def num_cores() -> int:
    """Return the number of cores that this process may use, as limited by its container."""
    return len(core_ids())


def core_ids() -> Sequence[int]:
    """Return the numbers of the usable cores, or of all where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


@contextmanager
def unpinned() -> Iterator[None]:
    """Let threads started inside use every core, though this process is pinned to one."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def available_gpus() -> list[str]:
    """Return the CUDA devices by torch's names, in the order a worker would see them."""
    visible = visible_gpus(os.environ.get("CUDA_VISIBLE_DEVICES"), listed_gpus())
    return [f"cuda:{i}" for i, _ in enumerate(visible)]


def worker_environment(
    inherited: Mapping[str, str], device: str, temporary: Path | None = None
) -> dict[str, str]:
    """Return `inherited`, tuned for a worker on `device` whose own temporary files go elsewhere.

    A worker that inherited the address of this process's W&B service would share the service, and
    end with it.
    """
    kept = {name: value for name, value in inherited.items() if name != "WANDB_SERVICE"}
    folder = {"TMPDIR": str(temporary), TEMPORARY: str(temporary)} if temporary else {}
    return {**kept, **TUNED, **folder, **visible_devices(inherited, device)}


def visible_devices(inherited: Mapping[str, str], device: str) -> dict[str, str]:
    """Return the variables that hide all accelerators but `device`, such as `cuda:1`."""
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return {"CUDA_VISIBLE_DEVICES": ""}
    if kind != "cuda" or not index:
        return {}
    visible = visible_gpus(inherited.get("CUDA_VISIBLE_DEVICES"), listed_gpus())
    return {"CUDA_VISIBLE_DEVICES": visible[int(index)]}
