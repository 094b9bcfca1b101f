"""Google's TPUs, found on the bus, and how a process gets a chip of its own, without torch.

Read from torch_tpu 0.2.0, which finds them alike, and from libtpu's users; no TPU has run this.
"""

import functools
import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BUS = Path("/sys/bus/pci/devices")
DEVICES = Path("/dev")
GOOGLE = "0x1ae0"
GENERATIONS = {
    "0x005e": "TPU v4",
    "0x0062": "TPU v5p",
    "0x0063": "TPU v5e",
    "0x006f": "TPU v6e",
    "0x0076": "TPU v7",
}
"""PCI device ids that torch_tpu knows."""
CACHE = "TORCH_TPU_TIER3_COMPILATION_CACHE_ROOT"


@dataclass(frozen=True)
class Tpus:
    """The chips of one machine."""

    count: int = 0
    generation: str = "TPU"
    num_unreachable: int = 0
    """Chips behind `/dev/accel*`, the older driver, which torch_tpu does not use."""


@functools.lru_cache(maxsize=1)
def installed_tpus() -> Tpus:
    """Return the chips that torch_tpu would find: on the bus, and given to users by vfio."""
    chips = [_generation(device) for device in _entries(BUS) if _is_reachable(device)]
    known = [name for name in chips if name]
    older = sum(entry.name.startswith("accel") for entry in _entries(DEVICES))
    return Tpus(len(known), known[0] if known else "TPU", 0 if known else older)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _generation(device: Path) -> str:
    try:
        vendor, model = ((device / name).read_text().strip() for name in ("vendor", "device"))
    except OSError:
        return ""
    return GENERATIONS.get(model, "") if vendor == GOOGLE else ""


def _is_reachable(device: Path) -> bool:
    try:
        return (DEVICES / "vfio" / (device / "iommu_group").readlink().name).exists()
    except OSError:
        return False


def tpu_variables(inherited: Mapping[str, str], chip: int, cache: Path | None) -> dict[str, str]:
    """Return the variables that give a process one chip, and the compiled programs of others.

    A chip belongs to one process at a time. torch_tpu reads `TPU_VISIBLE_DEVICES` and overwrites
    `TPU_VISIBLE_CHIPS` by it, libtpu prefers the latter: so both. The bounds say that the process
    is alone, where libtpu would wait for those of the other chips.
    """
    alone = "1,1,1,1" if installed_tpus().generation == "TPU v7" else "1,1,1"
    caches = {} if cache is None else {CACHE: inherited.get(CACHE, str(cache / "torch_tpu"))}
    return {
        "TPU_VISIBLE_DEVICES": str(chip),
        "TPU_VISIBLE_CHIPS": str(chip),
        "TPU_CHIPS_PER_PROCESS_BOUNDS": alone,
        "TPU_PROCESS_BOUNDS": alone,
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        **caches,
    }


def torch_tpu_obstacle(torch_version: str) -> str:
    """Return why torch_tpu cannot work with the torch that is here; nothing if it can."""
    try:
        needs = importlib.metadata.requires("torch_tpu") or []
    except importlib.metadata.PackageNotFoundError:
        return "torch_tpu is not installed: pip install 'audiocls[tpu]'"
    wanted = next((each for each in needs if re.match(r"torch\b(?!_)", each)), "torch")
    bounds = dict(re.findall(r"(>=|<=)\s*(\d+\.\d+)", wanted))
    oldest, newest = bounds.get(">=", "0.0"), bounds.get("<=", "9999.0")
    if _numbers(oldest) <= _numbers(torch_version)[:2] <= _numbers(newest):
        return ""
    return (
        f"torch_tpu {importlib.metadata.version('torch_tpu')} works with torch {oldest} to "
        f"{newest}, and here is {torch_version}: pip install 'audiocls[tpu]' in an environment "
        "of its own"
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))
