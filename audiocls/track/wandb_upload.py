"""Whether an online run's upload went wrong: W&B's client says so in its log alone.

Its `finish` returns as if all were well when the server refused the rows.
"""

import json
from pathlib import Path

REQUESTS = "api:"
"""Single requests that failed; what follows from one is a line of its own."""


def upload_fault(internal_log: Path) -> str:
    """The first error in `logs/debug-internal.log`, or nothing."""
    for line in internal_log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["level"].startswith("ERROR") and not entry["msg"].startswith(REQUESTS):
            return str(entry.get("error", entry["msg"])).partition("\n")[0]
    return ""
