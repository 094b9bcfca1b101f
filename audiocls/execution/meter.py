"""Measures of this process and of the code it runs: peak memory, provenance."""

import platform
import resource
import socket
import sys
from pathlib import Path

import torch

import audiocls
from audiocls.execution.clock import now
from audiocls.execution.code import code_digest
from audiocls.store import Provenance


def reset_peak_memory() -> None:
    """Start measuring anew, where the kernel offers it (Linux) and on the accelerator."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def peak_memory_mib() -> float:
    """The most memory this process held since the reset: the accelerator's, or else the host's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 2**10
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def provenance(device: torch.device, data_fingerprint: str, started: str) -> Provenance:
    """Where a record made now comes from."""
    on_cuda = device.type == "cuda"
    return Provenance(
        code=code_digest(),
        audiocls=audiocls.__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        device=torch.cuda.get_device_name(device) if on_cuda else device.type,
        data=data_fingerprint,
        host=socket.gethostname(),
        started=started,
        finished=now(),
    )
