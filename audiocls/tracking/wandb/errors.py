"""Errors of a run, read from the log of W&B's own process.

No other place has them: the client's `finish` returns without an error when the server refused the
rows or the disk was full.
"""

import json
import time
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path

REQUESTS = "api:"
"""Prefix of single requests that failed; what follows from one is logged on its own line."""
WRITERS = ("writer:", "flowcontrol:")
"""Prefixes of the parts that write the run's own log; each may be the first on a full disk."""
CLOSED = "stream: all finished"
CLOSE_TIMEOUT_S = 1.0
POLL_S = 0.002


@dataclass(frozen=True)
class ClientFault:
    """Why a run is incomplete where it should be complete."""

    reason: str
    is_local: bool
    """Whether it is incomplete in its own folder too, and not only on the server."""


def client_error(internal_log: Path) -> ClientFault | None:
    """Return the first error in `logs/debug-internal.log` of a finished run.

    Waits until the client has closed the run's files, which it does a moment after its `finish`.
    """
    deadline = time.monotonic() + CLOSE_TIMEOUT_S
    while CLOSED not in (content := _read(internal_log)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return _first_fault(content, internal_log)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def _first_fault(content: str, file: Path) -> ClientFault | None:
    for line in content.splitlines():
        try:
            entry = json.loads(line)
        except JSONDecodeError:
            return ClientFault(f"{file} breaks off, as on a full disk", is_local=True)
        message = str(entry["msg"])
        if str(entry["level"]).startswith("ERROR") and not message.startswith(REQUESTS):
            reason = str(entry.get("error", message)).partition("\n")[0]
            return ClientFault(reason, is_local=message.startswith(WRITERS))
    return None
