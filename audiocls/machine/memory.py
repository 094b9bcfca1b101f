"""Memory: whether the machine is short of it, or a trial asks for more than there is."""

import errno
import re
import resource
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from audiocls.errors import MachineFault
from audiocls.machine.disk import fault, in_mib, room

ALLOCATOR = re.compile(r"can't allocate memory: you tried to allocate (\d+) bytes")
"""What torch says of host memory; an accelerator's is `torch.OutOfMemoryError`."""
NO_THREAD = "can't start new thread"
NEARLY_ALL = 0.95
"""Share of a memory limit from which the process that holds it counts as too large by itself."""
CGROUP = Path("/sys/fs/cgroup")


def fault_of_memory(error: BaseException) -> MachineFault | None:
    """Return the fault if memory is missing that the machine has, and others hold."""
    if isinstance(error, RuntimeError) and NO_THREAD in str(error):
        return fault(errno.EAGAIN, None)
    requested = _requested(error)
    if requested is None or _is_too_large(requested):
        return None
    wanted = f" {in_mib(requested)} were requested;" if requested else ""
    return MachineFault(
        f"out of memory:{wanted} other programs hold what this machine has. Use fewer --workers, "
        "or end other programs"
    )


def is_of_memory(error: BaseException) -> bool:
    """Whether host memory could not be had."""
    return _requested(error) is not None


def _requested(error: BaseException) -> int | None:
    """Return the bytes of host memory that could not be had, 0 if unknown.

    `None` if the error is none of host memory.
    """
    if isinstance(error, RuntimeError) and (match := ALLOCATOR.search(str(error))):
        return int(match[1])
    if not isinstance(error, MemoryError):
        return None
    numpys: Any = error  # whose own subclass says what it was for
    return prod(numpys.shape) * numpys.dtype.itemsize if hasattr(error, "shape") else 0


def _is_too_large(requested: int) -> bool:
    """Whether this process and what it requests exceed a limit by themselves."""
    import psutil

    held = psutil.Process().memory_info()
    limits = [(held.rss, most) for most in (psutil.virtual_memory().total, *_container())]
    if (soft := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
        limits.append((held.vms, soft))
    return any(used + requested > NEARLY_ALL * most for used, most in limits)


def _container() -> Iterator[int]:
    """Yield the memory that a container allows, in bytes, if one does."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (CGROUP / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            yield int(text)


def num_oom_kills() -> int:
    """Return how many processes the kernel has killed for memory; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def mapped_file_fault(cache: Path) -> MachineFault:
    """Return the fault behind SIGBUS: pages of a mapped file that are not there any more."""
    return MachineFault(
        f"a mapped file below {cache} could not be read (SIGBUS): it was cut off, or its disk is "
        f"full or failing ({room(cache)}). What is damaged there is made again at the next launch"
    )


def crowded_memory_fault(num_running: int) -> MachineFault:
    """Return the fault behind a worker that the kernel killed while others ran."""
    return MachineFault(
        f"out of memory: the kernel killed a worker while {num_running} trials ran at once. Use "
        "fewer --workers, or end other programs"
    )
