"""Where a record comes from: time, host, code and versions, memory used, how it was evaluated.

Without torch at import. The digest of the code leaves prose out: it decides no number.
"""

import functools
import hashlib
import json
import platform
import resource
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import audiocls
from audiocls.audio.clips import ClipTable, Validation
from audiocls.dotted import flatten
from audiocls.execution.devices import kind_of
from audiocls.source_code import significant
from audiocls.store import Provenance
from audiocls.store.same_numbers import canonical_code

if TYPE_CHECKING:
    import torch

DECIDING_KEYS = ("train.select", "train.patience")
"""Split, metrics and scoring have no keys: data fingerprint and code digest stand for them."""
DECIDING_CODE = (
    *("audio", "config", "encoders", "models", "optim", "training", "seeding.py", "options.py"),
)
"""Packages that decide a trial's numbers; a change elsewhere leaves records comparable."""


def now() -> str:
    """Return the time of day in UTC, to the second, as records state it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(
    device: "torch.device", config: Mapping[str, Any], data_fingerprint: str, started: str
) -> Provenance:
    """Return the origin of a record that is made now on `device`."""
    import torch

    return Provenance(
        code=code_digest(),
        audiocls=audiocls.__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        device=_product_of(device),
        data=data_fingerprint,
        host=socket.gethostname(),
        started=started,
        finished=now(),
        protocol=protocol_of(config),
    )


def _product_of(device: "torch.device") -> str:
    """Return the product name of a device; `cpu` for a core."""
    import torch

    if device.type in ("cuda", "xpu"):
        return str(getattr(torch, device.type).get_device_name(device))
    return kind_of(device.type)


def protocol_of(config: Mapping[str, Any]) -> str:
    """Return the keys of a resolved configuration that decide which weights are scored.

    >>> protocol_of({"train": {"select": "val/loss", "patience": 5, "epochs": 10}})
    'train.select=val/loss train.patience=5'
    """
    values = flatten(config)
    return " ".join(f"{key}={values[key]}" for key in DECIDING_KEYS if key in values)


def digest_of_test(table: ClipTable, fold: int, validation: Validation = "held_out") -> str:
    """Return 12 hex digits over the test clips' ids, in order, and the names of the labels."""
    split = table.split(fold, validation)
    clips = [table.clips[i].id for i in split.test]
    further = {name: [table.clips[i].id for i in each] for name, each in split.further.items()}
    content = [clips, table.labels, *([further] if further else [])]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def reset_peak_memory() -> None:
    """Set the peak to the memory held now: accelerator, and host where the kernel can (Linux)."""
    if (memory := _measured()) is not None:
        memory.reset_peak_memory_stats()
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def peak_memory_mib() -> float:
    """Return the peak since the reset, in MiB: the accelerator's, or else the host's.

    The host's too where torch does not count that of the accelerator: on Apple's and Google's.
    """
    if (memory := _measured()) is not None:
        return float(memory.max_memory_allocated() / 2**20)
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 2**10  # in KiB
    # macOS counts in bytes, other systems in KiB.
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _measured() -> Any:
    """Return the module of torch that counts an accelerator's memory, if there is one."""
    import torch

    return next((each for each in (torch.cuda, torch.xpu) if each.is_available()), None)


@functools.lru_cache(maxsize=1)
def code_digest() -> str:
    """Return 12 hex digits over the source that decides a trial's numbers.

    Comments and docstrings do not count: correcting one changes no result.
    """
    root = Path(audiocls.__file__).parent
    digest = hashlib.sha256()
    for name in DECIDING_CODE:
        part = root / name
        for file in sorted(part.rglob("*.py")) if part.is_dir() else [part]:
            code = significant(file.read_text(encoding="utf-8"))
            digest.update(f"{file.relative_to(root).as_posix()}\n{code}".encode())
    return digest.hexdigest()[:12]


def torch_version() -> str:
    """Return the version of torch, which a base install lacks."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def is_as_now(made: Provenance, is_on_cpu: bool) -> bool:
    """Whether a trial trained now could be paired with one whose provenance is `made`."""
    is_same_code = canonical_code(made.code) == canonical_code(code_digest())
    is_same_torch = made.torch.partition("+")[0] == torch_version().partition("+")[0]
    is_same_device = (made.device == "cpu") == is_on_cpu
    return is_same_code and is_same_torch and is_same_device
