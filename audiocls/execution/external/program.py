"""`Program`: an external program as a process group of its own, and what it cost when it ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiocls.execution.external.reaper import signal_group

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Exit:
    """How a program ended, and what it cost, with its child processes."""

    code: int
    """Negative: the number of the signal that killed it."""
    wall_s: float
    process_s: float
    peak_memory_mib: float
    """Of the one process that held the most."""


class Program:
    """A started program, whose output is appended to a file.

    In a group of its own it does not get the Ctrl-C of a terminal, and ends with its children.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: str, output: Path
    ):
        self._started = time.monotonic()
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                arguments,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def group(self) -> int:
        return self._process.pid

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group."""
        signal_group(self.group, number)

    def poll(self) -> Exit | None:
        """Return how it ended, once, and kill what is left of its group; `None` while it runs."""
        if os.waitid(os.P_PID, self.group, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # Before it is waited for: as long as it is a zombie no new group can have its number.
        self.signal(signal.SIGKILL)
        return self._wait()

    def kill(self) -> None:
        """Kill the whole group now."""
        self.signal(signal.SIGKILL)
        self._wait()

    def _wait(self) -> Exit:
        _, status, usage = os.wait4(self.group, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return Exit(
            code=self._process.returncode,
            wall_s=self.age_s,
            process_s=usage.ru_utime + usage.ru_stime,
            peak_memory_mib=usage.ru_maxrss * MAXRSS_BYTES / 2**20,
        )
