"""Whether this machine can run studies: versions, devices, disk, memory, codecs, W&B."""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import audiocls
from audiocls.audio.decode import supported_formats
from audiocls.errors import AudioclsError, ConfigError, UsageError
from audiocls.execution.accelerators import EXPERIMENTAL, available_devices, obstacles
from audiocls.execution.devices import kind_name, kind_of, num_cores
from audiocls.extras import EXTRAS, is_installed
from audiocls.machine import fault_of
from audiocls.named_paths import exists
from audiocls.parts.loading import load
from audiocls.parts.modules import find
from audiocls.parts.plugins import KINDS, plugins
from audiocls.store.lease import require_shareable
from audiocls.tracking.mode import default_mode, has_key

LEAST_FREE_GIB = 1.0
LEAST_MEMORY_GIB = 2.0


@dataclass(frozen=True)
class Health:
    """Facts for people, and problems with what to do about them."""

    facts: dict[str, Any]
    problems: tuple[str, ...]


def examine(runs: Path, cache: Path) -> Health:
    """Check the machine; create `runs` and `cache` if they do not exist."""
    torch_version, torch_problems = _torch()
    memory = psutil.virtual_memory()
    codecs = supported_formats()
    problems = [
        *(_disk_problems("runs", runs) or _sharing_problems(runs)),
        *_disk_problems("cache", cache),
        *(
            f"{name}: libsndfile cannot read it; reinstall soundfile"
            for name, ok in codecs.items()
            if not ok
        ),
        *_memory_problems(memory.available),
        *torch_problems,
        *_plugin_problems(),
    ]
    mode, mode_problems = _wandb_mode()
    facts = {
        "audiocls": audiocls.__version__,
        "python": platform.python_version(),
        "torch": torch_version,
        "extras": _extras(),
        "system": platform.platform(terse=True),
        "devices": _devices(),
        "cores": num_cores(),
        "threads": "one per worker",
        "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
        "disk": f"{_free_gib(runs):.1f} GiB free for {runs}, {_free_gib(cache):.1f} for {cache}",
        "wandb": f"{importlib.metadata.version('wandb')}, {mode}, "
        f"{'a key is configured' if has_key(os.environ) else 'no key'}",
        "codecs": ", ".join(name for name, ok in codecs.items() if ok),
    }
    return Health(facts, (*problems, *mode_problems))


def _wandb_mode() -> tuple[str, list[str]]:
    try:
        return default_mode(os.environ), []
    except UsageError as error:
        return "unusable", [str(error)]


def _disk_problems(name: str, folder: Path) -> list[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        return [f"{name} folder cannot be written: {fault_of(error, folder) or error}"]
    free = _free_gib(folder)
    if free < LEAST_FREE_GIB:
        return [f"{name} folder {folder}: {free:.2f} GiB free; {LEAST_FREE_GIB:g} are required"]
    return []


def _sharing_problems(runs: Path) -> list[str]:
    """Return why launches could not keep studies in a folder that can be written, if so."""
    try:
        require_shareable(runs)
    except AudioclsError as error:
        return [str(error)]
    return []


def _memory_problems(available: int) -> list[str]:
    free = available / 2**30
    if free >= LEAST_MEMORY_GIB:
        return []
    return [f"memory: {free:.1f} GiB free; {LEAST_MEMORY_GIB:g} are required. Use fewer --workers"]


def _torch() -> tuple[str, list[str]]:
    """Return torch's version, and what is wrong with it; to lack it is no problem."""
    if not is_installed("train"):
        return "none: nothing can be trained without audiocls[train]", []
    try:
        import torch
    except (ImportError, OSError) as error:
        return "unusable", [f"torch cannot be imported: {error}. Install it again"]
    return str(torch.__version__), _device_problems()


def _extras() -> str:
    """Return the extras that are installed, and those that are not."""
    there = [name for name in EXTRAS if is_installed(name)]
    absent = [name for name in EXTRAS if name not in there]
    missing = f"not installed: {', '.join(absent)}" if absent else ""
    return "; ".join(filter(None, (", ".join(there), missing)))


def _devices() -> str:
    """Return what trials can be trained on here."""
    there = list(map(_described, available_devices(is_native=True)))
    none = "" if there else "; no accelerator that torch could use (GPUs and TPUs are experimental)"
    return ", ".join(["cpu", *there]) + none


def _described(device: str) -> str:
    """Return a device with its product name, and whether none has yet run this."""
    kind = kind_of(device)
    named = device if kind_name(kind) == kind_name(device) else f"{device} ({kind})"
    return f"{named}, experimental" if kind_name(device) in EXPERIMENTAL else named


def _device_problems() -> list[str]:
    """Return which accelerators torch cannot use, as it says itself and as its build does."""
    from audiocls.training.device import is_available

    kinds = dict.fromkeys(map(kind_name, available_devices(is_native=True)))
    unusable = [
        f"this machine has {kind_of(kind)}, but torch cannot use it: is its driver too old for "
        "torch, or hidden from this process?"
        for kind in kinds
        if not is_available(kind)
    ]
    return [*unusable, *obstacles()]


def _plugin_problems() -> list[str]:
    """Return which parts of installed plugins cannot be imported, and why; they may need torch."""
    problems: list[str] = []
    if not is_installed("train"):
        return problems
    for kind in (*KINDS, "library"):
        for plugin in plugins(kind):
            try:
                find(plugin.target) if kind == "library" else load(plugin.target)
            except ConfigError as error:
                what = f"plugin {plugin.name} of {plugin.distribution} (audiocls.{kind})"
                problems += [f"{what}: {fault}" for fault in error.faults]
    return problems


def _free_gib(folder: Path) -> float:
    """Return the free space in GiB where `folder` is, or would be."""
    while not exists(folder) and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free / 2**30
