"""Accelerators of every maker: which of them torch can use, and what keeps it from the others."""

import functools
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiocls.execution import gpus
from audiocls.execution.amd import installed_amd_gpus, visible_amd_gpus
from audiocls.execution.gpus import Gpu, visible_gpus
from audiocls.execution.torch_build import TorchBuild, torch_build
from audiocls.execution.tpus import installed_tpus, torch_tpu_obstacle

GET = "https://pytorch.org/get-started/locally"
CARDS = Path("/sys/class/drm")
INTEL = "0x8086"
INTEGRATED = "0000:00:02.0"
"""Where Intel's graphics lie that are part of a CPU: none that a CPU build of torch leaves idle."""
OLDEST_MACOS = 14
EXPERIMENTAL = ("cuda", "xpu", "tpu", "mps")
"""Kinds of device that none of our tests has run on: known from documents and stand-ins alone."""
EXCLUSIVE = ("mps", "tpu")
"""Kinds of device that take one process each."""


@dataclass(frozen=True)
class Accelerators:
    """The accelerators of one maker that this machine has."""

    devices: tuple[str, ...]
    """As torch names them."""
    obstacle: str = ""
    """What keeps torch from them, and what to do."""
    is_for_programs: bool = True
    """Whether each trial of anybody's program gets one, which may have a torch of its own."""


def installed_accelerators() -> list[Accelerators]:
    """Return what this machine has, in the order in which it is chosen."""
    build = torch_build()
    makers = (_of_nvidia, _of_amd, _of_google, _of_intel, _of_apple)
    return [accelerators for maker in makers if (accelerators := maker(build)).devices]


def available_devices(is_native: bool) -> list[str]:
    """Return the accelerators that our own trials, or else other programs, can be given."""
    return [
        name
        for accelerators in installed_accelerators()
        if (not accelerators.obstacle if is_native else accelerators.is_for_programs)
        for name in accelerators.devices
    ]


def obstacles() -> list[str]:
    """Return a sentence for each maker's accelerators that torch cannot use."""
    return [
        accelerators.obstacle for accelerators in installed_accelerators() if accelerators.obstacle
    ]


def _of_nvidia(build: TorchBuild) -> Accelerators:
    devices = tuple(f"cuda:{i}" for i, _ in enumerate(visible_nvidia(os.environ)))
    return Accelerators(
        devices, _obstacle(build, "CUDA", build.cuda, _listed(gpus.installed_gpus()))
    )


def visible_nvidia(variables: Mapping[str, str]) -> list[str]:
    """Return NVIDIA's GPUs that a process sees, each as a word for `CUDA_VISIBLE_DEVICES`."""
    uuids = [gpu.uuid for gpu in gpus.installed_gpus()]
    return visible_gpus(variables.get("CUDA_VISIBLE_DEVICES"), uuids)


def _of_amd(build: TorchBuild) -> Accelerators:
    devices = tuple(f"cuda:{i}" for i, _ in enumerate(visible_amd_gpus(os.environ)))
    if gpus.installed_gpus():  # torch names both `cuda`, and is built for one of them
        devices = ()
    return Accelerators(
        devices, _obstacle(build, "ROCm", build.hip, f"AMD {_listed(installed_amd_gpus())}")
    )


def _of_google(build: TorchBuild) -> Accelerators:
    tpus = installed_tpus()
    chips = _left("TPU_VISIBLE_DEVICES", _left("TPU_VISIBLE_CHIPS", range(tpus.count)))
    devices = tuple(f"tpu:{number}" for number in chips or range(tpus.num_unreachable))
    what = f"{len(devices)} × {tpus.generation}"
    if not tpus.count:
        why = "torch_tpu reaches chips by /dev/vfio, and these are behind /dev/accel*"
        return Accelerators(
            devices, f"{what} cannot be used: {why}. Use a newer image of the machine"
        )
    why = torch_tpu_obstacle(build.version) if build.version else ""
    return Accelerators(devices, f"{what} cannot be used: {why}" if why else "")


def _of_intel(build: TorchBuild) -> Accelerators:
    cards = [device for device in _pci_of_cards() if build.xpu or device != INTEGRATED]
    devices = tuple(f"xpu:{number}" for number in _left("ZE_AFFINITY_MASK", range(len(cards))))
    return Accelerators(
        devices, _obstacle(build, "XPU", build.xpu, "Intel GPU"), is_for_programs=False
    )


def _of_apple(build: TorchBuild) -> Accelerators:
    if (platform.system(), platform.machine()) != ("Darwin", "arm64"):
        return Accelerators(())
    version = platform.mac_ver()[0]
    is_old = int(version.partition(".")[0] or 0) < OLDEST_MACOS
    why = f"{apple_chip()} cannot be used: torch needs macOS {OLDEST_MACOS}, and here is {version}"
    return Accelerators(("mps",), why if is_old and build.version else "", is_for_programs=False)


def _pci_of_cards() -> Iterator[str]:
    """Yield the bus addresses of Intel's GPUs."""
    for card in sorted(CARDS.glob("card[0-9]*")):
        try:
            if (card / "device" / "vendor").read_text().strip() == INTEL:
                yield (card / "device").resolve().name
        except OSError:
            continue


def _left(variable: str, numbers: Sequence[int]) -> Sequence[int]:
    """Return the devices, by the machine's numbers, that a variable such as `0,2` leaves."""
    if not (named := os.environ.get(variable, "").strip()):
        return numbers
    words = [word.strip() for word in named.split(",")]
    return [number for number in numbers if str(number) in words]


def _obstacle(build: TorchBuild, what: str, version: str, devices: str) -> str:
    if version or not build.version:  # without any torch nothing is trained here
        return ""
    return (
        f"{devices} cannot be used: torch {build.version} was built without {what}. Install a "
        f"build that has it ({GET})"
    )


def _listed(those: tuple[Gpu, ...]) -> str:
    return ", ".join(dict.fromkeys(gpu.name for gpu in those))


@functools.lru_cache(maxsize=1)
def apple_chip() -> str:
    """Return the product name of a Mac's processor, such as `Apple M2 Max`, or else `mps`."""
    words = ["sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        queried = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "mps"
    return queried.stdout.strip() or "mps"
