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
LONGEST_HOST = 40
"""Characters; the names of files in which it occurs have other parts too."""
WRITER = re.compile(r"(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{8}")


def writer_name() -> str:
    """Return `<host>-<pid>-<8 hex>`, another one at each call."""
    return f"{host()}-{os.getpid()}-{secrets.token_hex(4)}"


def host() -> str:
    """Return the name of this host, and of its process id namespace if that is a container's."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", socket.gethostname())
    if len(name) > LONGEST_HOST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: LONGEST_HOST - len(digest) - 1]}_{digest}"
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # of another system than Linux
        namespace = MAIN_NAMESPACE
    return name if namespace == MAIN_NAMESPACE else f"{name}+{namespace:x}"


def has_ended(writer: str) -> bool:
    """Whether it is known that the process of this name has ended: it was one of this host."""
    found = WRITER.fullmatch(writer)
    return found is not None and found["host"] == host() and not is_alive(int(found["pid"]))


def is_alive(pid: int) -> bool:
    """Whether this host has such a process; none is disturbed by the question."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
