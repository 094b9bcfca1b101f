"""Faults on demand: answers that are errors, and answers that are late."""

import threading
import time
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What befalls requests that `match`, until it has done so `times` times or for long enough."""

    match: str
    status: int = 200
    """200 means that the request is served in the end."""
    delay_s: float = 0.0
    times_left: float = float("inf")
    until_s: float = float("inf")

    @property
    def is_over(self) -> bool:
        return self.times_left <= 0 or time.monotonic() >= self.until_s


@dataclass
class Faults:
    """The faults that are in force."""

    active: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    healed: threading.Event = field(default_factory=threading.Event)

    def add(self, fault: Fault) -> None:
        with self.lock:
            self.healed.clear()
            self.active.append(fault)

    def heal(self) -> None:
        """End all faults, those that are being waited for too."""
        with self.lock:
            self.active.clear()
            self.healed.set()

    def status(self, what: str) -> int:
        """Wait as long as the faults say; the status that the answer is to have."""
        fault = self._take(what)
        if fault is None:
            return 200
        self.healed.wait(fault.delay_s)
        return fault.status

    def _take(self, what: str) -> Fault | None:
        with self.lock:
            self.active = [fault for fault in self.active if not fault.is_over]
            for fault in self.active:
                if fault.match in what:
                    fault.times_left -= 1
                    return fault
        return None
