"""Devices of this machine, found without torch, and the environment of a process on one of them."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from audiocls.errors import UsageError
from audiocls.execution import gpus
from audiocls.execution.accelerators import (
    EXCLUSIVE,
    apple_chip,
    available_devices,
    obstacles,
    visible_nvidia,
)
from audiocls.execution.amd import amd_variables, visible_amd_gpus
from audiocls.execution.gpus import Gpu
from audiocls.execution.temporary import TEMPORARY
from audiocls.execution.tpus import installed_tpus, tpu_variables
from audiocls.formatting import join_names, plural
from audiocls.training.device import DEVICE_VARIABLE

PerDevice = int | Literal["auto"]
"""Trials that a worker trains at once; `auto`: as many as its device has memory for."""
Slots = list[str]
"""The device of each worker, such as `["cuda:0", "cuda:1"]` or `["cpu", "cpu"]`; where a trial is
trained on several, all of them: `["cuda:0,cuda:1"]`."""
PARALLEL = ("cpu", "cuda")
"""Kinds of device of which several can train one trial."""
OTHERWISE_CALLED = "AMD's and NVIDIA's GPUs are both named cuda, as torch names them"
DEVICES_PER_TRIAL = "AUDIOCLS_DEVICES_PER_TRIAL"
"""Environment variable of a worker: how many devices each of its trials has, if not one."""

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


def slots(
    devices: str, num_workers: int | None, is_native: bool = False, per_trial: int = 1
) -> Slots:
    """Return one slot per accelerator or, without one, per core; `num_workers` slots share them.

    Args:
        devices: `auto`, `cpu`, or names such as `cuda:0,cuda:1`; `tpu` is every TPU chip.
        num_workers: of the launch; by default one for each device.
        is_native: whether our own trials run there, for which torch has to know the devices.
        per_trial: devices of one slot.

    Raises `UsageError` for devices that this machine does not have, or that torch cannot use.
    """
    there = available_devices(is_native)
    if devices.strip() == "auto":
        names = [name for name in there if kind_name(name) == kind_name(there[0])] or ["cpu"]
    else:
        words = [word.strip() for word in devices.split(",")]
        names = [each for word in words for each in _named(word, there)]
        _require_each_once(devices, names)
        _require_one_kind(names)
    if per_trial > 1:
        names = _together(names if names != ["cpu"] else ["cpu"] * num_cores(), per_trial)
    count = num_workers or (len(names) if names != ["cpu"] else num_cores())
    if kind_name(names[0]) in EXCLUSIVE and count > len(names):
        raise UsageError(
            f"--workers: got {count}; {kind_of(names[0])} takes one trial at a time on each of "
            f"{', '.join(names)}"
        )
    return [names[i % len(names)] for i in range(count)]


def _together(names: Sequence[str], per_trial: int) -> Slots:
    """Return slots of several devices; raise `UsageError` where there are none of that size."""
    kind = kind_name(names[0])
    if kind not in PARALLEL:
        raise UsageError(f"--devices-per-trial: got {per_trial}; on {kind} a trial has one device")
    if not (together := grouped(names, per_trial)):
        what = "cores" if kind == "cpu" else "devices"
        raise UsageError(
            f"--devices-per-trial: got {per_trial}; there are {len(names)} {what} to choose from"
        )
    return together


def grouped(names: Sequence[str], size: int) -> Slots:
    """Return slots of `size` devices each, as many as there are whole ones.

    >>> grouped(["cuda:0", "cuda:1", "cuda:2"], 2)
    ['cuda:0,cuda:1']
    """
    return [",".join(names[i : i + size]) for i in range(0, len(names) - size + 1, size)]


def _named(word: str, there: Sequence[str]) -> list[str]:
    """Return the devices that a word of `--devices` names."""
    named = [name for name in ["cpu", *there] if word in (name, kind_name(name))]
    if named:
        return named
    if word == "auto":
        raise UsageError("--devices: got auto beside others; it chooses alone: leave one out")
    allowed = ", ".join(["auto", "cpu", *there])
    further = [OTHERWISE_CALLED] if word.lower() in ("gpu", "hip", "rocm") else []
    idle = ". ".join(["", *further, *obstacles()])
    raise UsageError(f"--devices: got {word!r}; this machine has: {allowed}{idle}")


def _require_each_once(devices: str, names: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(
            f"--devices: got {devices!r}; allowed: each once. For {plural(len(names), 'worker')} "
            f"on {twice[0]}: --devices {twice[0]} --workers {len(names)}"
        )


def _require_one_kind(names: Sequence[str]) -> None:
    kinds = {name: kind_of(name) for name in names}
    if len(set(kinds.values())) > 1:
        listed = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        raise UsageError(
            f"--devices: got {listed}: pairs of two kinds do not compare. Start one launch for "
            "each kind: they share the study"
        )


def kind_name(device: str) -> str:
    """Return torch's name of the kind: `cuda` of `cuda:1`, and of several."""
    return re.split("[:,]", device)[0]


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


def gpu_of(device: str) -> Gpu:
    """Return what a device such as `cuda:1` is; of one that no driver lists, its number alone."""
    number = device.partition(":")[2] or "0"
    if amd := not gpus.installed_gpus() and visible_amd_gpus(os.environ):
        return dict(enumerate(amd)).get(int(number), Gpu(number, "cuda", number))
    visible = visible_nvidia(os.environ)
    entry = visible[int(number)] if int(number) < len(visible) else number
    listed = (gpu for gpu in gpus.installed_gpus() if entry in (gpu.index, gpu.uuid))
    return next(listed, Gpu(entry, "cuda", entry))


def devices_of_trial() -> int:
    """Return how many devices each trial of this worker has."""
    return int(os.environ.get(DEVICES_PER_TRIAL, "1"))


def require_kinds(wanted: Iterable[str], slots: Slots) -> None:
    """Raise `UsageError` where trials ask for a kind of device that no slot is.

    Args:
        wanted: each trial's `device`, such as `auto` or `cuda`.

    >>> require_kinds(["auto", "cuda"], ["cuda:0"])
    """
    there = {kind_name(slot) for slot in slots}
    if odd := sorted({*wanted} - {"auto", *there}):
        raise UsageError(
            f"device: got {odd[0]}, but this launch trains on {join_names(sorted(there))}. Leave "
            f"it at auto, or name the devices, such as: --devices {odd[0]}"
        )


def kind_of(device: str) -> str:
    """Return the product name of a device, as records have it; `cpu` for a core."""
    kind = kind_name(device)
    if kind == "cuda":
        return gpu_of(device.partition(",")[0]).name
    if kind == "mps":
        return apple_chip()
    return installed_tpus().generation if kind == "tpu" else kind


def claim_of(device: str) -> str:
    """Return the name of an accelerator that all launches on this machine know it by."""
    return (
        f"cuda-{gpu_of(device).uuid}" if kind_name(device) == "cuda" else device.replace(":", "-")
    )


def worker_environment(
    inherited: Mapping[str, str],
    device: str,
    temporary: Path | None = None,
    cache: Path | None = None,
) -> dict[str, str]:
    """Return `inherited`, tuned for a worker on `device` whose own temporary files go elsewhere.

    A worker that inherited the address of this process's W&B service would share the service, and
    end with it. What a device compiles is kept in `cache`.
    """
    kept = {name: value for name, value in inherited.items() if name != "WANDB_SERVICE"}
    folder = {"TMPDIR": str(temporary), TEMPORARY: str(temporary)} if temporary else {}
    chosen_device = {DEVICE_VARIABLE: kind_name(device)}
    if num_others := device.count(","):
        chosen_device[DEVICES_PER_TRIAL] = str(1 + num_others)
    return {**kept, **TUNED, **folder, **chosen_device, **visible_devices(inherited, device, cache)}


def visible_devices(
    inherited: Mapping[str, str], device: str, cache: Path | None = None
) -> dict[str, str]:
    """Return the variables that hide all accelerators but `device`, such as `cuda:1`."""
    if kind_name(device) == "cpu":
        return {"CUDA_VISIBLE_DEVICES": ""}
    if "," in device:
        each = [visible_devices(inherited, name, cache) for name in device.split(",")]
        return {name: ",".join(dict.fromkeys(one[name] for one in each)) for name in each[0]}
    kind, _, index = device.partition(":")
    if kind == "tpu":
        return tpu_variables(inherited, int(index), cache)
    if kind == "xpu":
        return {"ZE_AFFINITY_MASK": index}
    if kind != "cuda" or not index:
        return {}
    if not gpus.installed_gpus() and visible_amd_gpus(inherited):
        return amd_variables(inherited, int(index))
    chosen = {"CUDA_VISIBLE_DEVICES": visible_nvidia(inherited)[int(index)]}
    # As the driver counts them: CUDA itself puts the fastest first where kinds are mixed.
    return {"CUDA_DEVICE_ORDER": inherited.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID"), **chosen}


@contextmanager
def only_visible(device: str) -> Iterator[None]:
    """Hide all accelerators but one from this process meanwhile."""
    chosen = {DEVICE_VARIABLE: kind_name(device), **visible_devices(os.environ, device)}
    before = {name: os.environ.get(name) for name in chosen}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
