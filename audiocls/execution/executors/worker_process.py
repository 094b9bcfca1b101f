"""One worker as its executor sees it: a process behind pipes, and the trials that it trains."""

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from audiocls.execution.devices import PerDevice
from audiocls.execution.executors.silence import Silence
from audiocls.execution.fork_server import UNKNOWN_STATUS, Process
from audiocls.execution.messages import Ended, Epoch, Event, Recorded, Underway
from audiocls.machine.memory import num_oom_kills

KILL_LASTS_S = 1.0
"""For the system to remove a killed worker; one blocked on I/O may never exit."""


class Worker:
    """One process, which `start` starts, and the trials that it trains."""

    def __init__(
        self,
        slot: int,
        device: str,
        temporary: Path,
        inbox: "Inbox",
        start: Callable[[], Process],
    ):
        self.slot, self.device, self.temporary = slot, device, temporary
        self._oom_kills_before = num_oom_kills()
        self.trial_ids: list[str] = []
        self.room = 1
        """Trials that it takes at once."""
        self.is_filling = True
        """Whether it takes more: what it has was sent since the last look."""
        self.uploading: set[str] = set()
        """Trials whose runs have yet to end: one that is uploaded, and those that wait for that."""
        self.is_spent = False
        self.silence = Silence()
        self.is_ready = False
        self._killed_for = ""
        self._process = start()
        self._reader = threading.Thread(target=self._read, args=(inbox,), daemon=True)
        self._reader.start()

    def _read(self, inbox: "Inbox") -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                inbox.put((self, line.strip()))
        self._process.wait()
        inbox.put((self, None))

    def num_free(self) -> int:
        """Return how many more trials it takes now; none while too many wait for an upload."""
        is_waiting = len(self.uploading) > self.room
        return self.room - len(self.trial_ids) if self.is_filling and not is_waiting else 0

    def drop(self, trial_id: str) -> None:
        """Note that it trains a trial no longer; it takes more once it has none."""
        self.trial_ids.remove(trial_id)
        self.is_filling = not self.trial_ids

    def take_note(self, event: Event) -> None:
        """Follow what the process reports of its trials."""
        if isinstance(event, Recorded):
            self.drop(event.id)
            self.uploading.add(event.id)
        elif isinstance(event, Underway):
            self.silence.end(isinstance(event, Epoch))
        elif event.id in self.uploading:
            self.uploading.remove(event.id)
        else:
            self.drop(event.id)
        self.is_spent |= isinstance(event, Ended) and event.is_worker_spent

    def is_only_uploading(self) -> bool:
        """Whether it trains nothing, and has runs that have yet to end."""
        return bool(self.uploading) and not self.trial_ids and self.is_alive()

    def send_line(self, line: str) -> None:
        """Send one line; the death of a worker is reported by its reader, not here."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
        except BrokenPipeError:
            return

    def close(self) -> None:
        """End the worker's input: it exits when its trial has stopped."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            return

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the worker if it still runs, and release its pipes."""
        self._process.kill()
        self.close()
        self._reader.join(KILL_LASTS_S)

    def give_up(self, reason: str) -> None:
        """Kill a worker that hangs, one that is stopped by a signal too."""
        self._killed_for = reason
        self._process.kill()

    def exit_reason(self) -> str:
        """Return how the process ended."""
        if self._killed_for:
            return self._killed_for
        code = self._process.returncode
        if code == UNKNOWN_STATUS:
            return "worker ended, and so has the process of which it was forked"
        if code is not None and code < 0:
            return f"worker killed by {signal.Signals(-code).name}"
        return f"worker exited with status {code}"

    def is_killed_by(self, number: signal.Signals) -> bool:
        return self._process.returncode == -number

    def is_killed_for_memory(self) -> bool:
        """Whether the kernel, as it seems, has killed it because memory ran out."""
        return self.is_killed_by(signal.SIGKILL) and num_oom_kills() > self._oom_kills_before


Inbox = queue.SimpleQueue[tuple[Worker, str | None]]


def start_process(
    cache: Path, log: Path, environment: Mapping[str, str], per_device: PerDevice = 1
) -> Process:
    """Start a worker that imports everything itself; `log` gets its errors."""
    with log.open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "audiocls.execution.worker", str(cache), str(per_device)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
            start_new_session=True,
            env=dict(environment),
        )
