"""Ends the programs of a launch that was killed: `python -m audiocls.execution.external.reaper`.

It reads process groups as lines on its standard input, `12` for one that was started and `-12` for
one that has ended. When the input ends, because the launch did, in whatever way, the groups that
are left get SIGTERM, and SIGKILL after `GRACE_S`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

GRACE_S = 3.0


class ProcessReaper:
    """The reaper's process, as the launch sees it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "audiocls.execution.external.reaper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        self._send(str(group))

    def forget(self, group: int) -> None:
        self._send(str(-group))

    def close(self) -> None:
        """End the reaper: the launch is over in order."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        # A killed reaper is no reason to end the launch.
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to every process of a group; do nothing if it has ended."""
    # PermissionError: macOS raises it for a group of which only a zombie is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end(groups: Iterable[int], grace_s: float) -> None:
    """Send SIGTERM, wait up to `grace_s`, then send SIGKILL."""
    left = set(groups)
    for group in left:
        signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while (left := {group for group in left if _exists(group)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in left:
        signal_group(group, signal.SIGKILL)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Keep the list of groups until standard input ends, then end those that are left."""
    groups: set[int] = set()
    for line in sys.stdin:
        number = int(line)
        if number > 0:
            groups.add(number)
        else:
            groups.discard(-number)
    end(groups, GRACE_S)


if __name__ == "__main__":
    main()
