"""Names of the processes that write in a shared folder, unique across its hosts.

A process id alone is not: each container has a process 1, and each host its own numbers.
"""

import hashlib
import os
import re
import secrets
import socket
from pathlib import Path

MAIN_NAMESPACE = 0xEFFFFFFC
"""Inode of the process id namespace of a host itself (`PID_NS_INIT_INO` of Linux)."""
CLOCKS_DIFFER_S = 2.0
"""At most: the start of a process and a file's time come from different clocks."""
LONGEST_HOST = 40
"""Characters; the names of files in which it occurs have other parts too."""
WRITER = re.compile(r"(?P<host>[^./]+)-(?P<pid>\d+)-[0-9a-f]{8}")


def writer_name() -> str:
    """Return `<host>-<pid>-<8 hex>`, another one at each call."""
    return f"{host()}-{os.getpid()}-{secrets.token_hex(4)}"


def host() -> str:
    """Return the name of this host, and of its process id namespace if that is a container's."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", socket.gethostname())
    if len(name) > LONGEST_HOST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: LONGEST_HOST - len(digest) - 1]}_{digest}"
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # of another system than Linux
        namespace = MAIN_NAMESPACE
    return name if namespace == MAIN_NAMESPACE else f"{name}+{namespace:x}"


def has_ended(writer: str, at_s: float | None = None) -> bool:
    """Whether it is known that the process of this name has ended: it was one of this host.

    It was alive `at_s`, in seconds since 1970; one that has its number and began later is another.
    """
    match = WRITER.fullmatch(writer)
    if match is None or match["host"] != host():
        return False
    pid = int(match["pid"])
    return not is_alive(pid) or (at_s is not None and _is_other(pid, at_s))


def _is_other(pid: int, at_s: float) -> bool:
    """Whether a process began later, or has ended and nobody has waited for it."""
    import psutil

    try:
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return bool(is_zombie or process.create_time() > at_s + CLOCKS_DIFFER_S)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def is_alive(pid: int) -> bool:
    """Whether this host has such a process; none is disturbed by the question."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
