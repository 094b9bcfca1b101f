"""Devices of this machine, found without torch, and the environment of a process on one of them."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiocls.errors import UsageError
from audiocls.execution.temporary import TEMPORARY

Slots = list[str]
"""One device a worker, such as `["cuda:0", "cuda:1"]` or `["cpu", "cpu"]`."""

LISTED = re.compile(r"GPU (\d+): (.+?) \(UUID: (\S+)\)")
"""A line of `nvidia-smi -L`."""

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


def num_cores() -> int:
    """Return the number of cores that this process may use, as limited by its container."""
    return len(core_ids())


def core_ids() -> Sequence[int]:
    """Return the numbers of the usable cores, or of all where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def available_gpus() -> list[str]:
    """Return the CUDA devices by torch's names, in the order a worker would see them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    num = len(installed_gpus()) if visible is None else len(_visible())
    return [f"cuda:{i}" for i in range(num)]


@dataclass(frozen=True)
class Gpu:
    """A device that the driver lists."""

    index: str
    name: str
    """Product name, such as `NVIDIA H200`."""
    uuid: str


@functools.lru_cache(maxsize=1)
def installed_gpus() -> tuple[Gpu, ...]:
    """Return the devices that the driver lists for this process, whichever are visible to CUDA."""
    if shutil.which("nvidia-smi") is None:
        return ()
    listing = subprocess.run(
        ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=False
    )
    return tuple(
        Gpu(*found.groups()) for found in map(LISTED.match, listing.stdout.splitlines()) if found
    )


def gpu_of(device: str) -> Gpu:
    """Return what a device such as `cuda:1` is; of one that no driver lists, its number alone."""
    number, visible = device.partition(":")[2] or "0", _visible()
    entry = visible[int(number)] if int(number) < len(visible) else number
    listed = (gpu for gpu in installed_gpus() if gpu.index == entry or gpu.uuid.startswith(entry))
    return next(listed, Gpu(entry, "cuda", entry))


def kind_of(device: str) -> str:
    """Return the product name of a device, as records have it; `cpu` for a core."""
    return device if device == "cpu" else gpu_of(device).name


def _visible() -> list[str]:
    return [d.strip() for d in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if d.strip()]


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
    visible = [d for d in inherited.get("CUDA_VISIBLE_DEVICES", "").split(",") if d]
    chosen = {"CUDA_VISIBLE_DEVICES": visible[int(index)] if visible else index}
    # As the driver counts them: CUDA itself puts the fastest first where kinds are mixed.
    return {"CUDA_DEVICE_ORDER": inherited.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID"), **chosen}
