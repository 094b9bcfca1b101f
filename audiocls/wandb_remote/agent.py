"""`Agent`: the heartbeat of one W&B agent, on a thread of its own.

The scheduler only ever sees orders and one final error; stalls, retries and give-ups are handled on
this thread.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from audiocls.tracking.sweep_server import (
    Order,
    PermissionDenied,
    ServerUnavailable,
    Start,
    SweepServer,
)


@dataclass(frozen=True)
class RetryPolicy:
    """How often an agent calls its server, and when it gives up one that does not answer."""

    poll_s: float = 5.0
    """As W&B's own agents; an agent also calls whenever its run has ended."""
    slowest_s: float = 60.0
    """Each call without an answer doubles the wait for the next one, up to this."""
    patience_s: float = 600.0


DEFAULT_RETRIES = RetryPolicy()


class RunQuota:
    """Runs that all agents of this process together may still start, and those to resume first."""

    def __init__(self, count: int | None = None, orphaned: Iterable[Start] = ()):
        self._count = count
        self._orphaned = deque(orphaned)
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Count one more run as started; return whether the quota allowed it."""
        with self._lock:
            if self._count == 0:
                return False
            self._count = None if self._count is None else self._count - 1
            return True

    def take_orphaned(self) -> Start | None:
        """Return a run that an earlier agent on this machine did not finish."""
        with self._lock:
            return self._orphaned.popleft() if self._orphaned else None


@dataclass
class Agent:
    """Reports the running runs to the server, and collects its orders.

    An agent without a run asks for one. It ends once it has none and needs none, or when the server
    has not answered for too long; a trial that runs then goes on.
    """

    server: SweepServer
    id: str
    quota: RunQuota
    retries: RetryPolicy = DEFAULT_RETRIES
    fault: Exception | None = None
    """Why it ended before its time."""

    def __post_init__(self) -> None:
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._runs: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_leaving = self._may_ask = False
        self._silent_since: float | None = None
        self._wait_s = self.retries.poll_s
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def orders(self) -> list[Order]:
        """Return the server's orders since the last call."""
        return [self._orders.get() for _ in range(self._orders.qsize())]

    def end(self, run_id: str) -> None:
        """Report the run as running no longer; the run itself has logged how it ended."""
        with self._lock:
            self._runs.discard(run_id)
        self._wake.set()

    def leave(self) -> None:
        """Ask for no further run."""
        self._is_leaving = True
        self._wake.set()

    def is_over(self) -> bool:
        """Whether all orders are read and none will come any more."""
        return not self._thread.is_alive() and self._orders.empty()

    def _serve(self) -> None:
        try:
            while self._beat():
                self._wake.wait(self._wait_s)
        except Exception as error:
            self.fault = error  # raised by `ServerSource.ending`, on the scheduler's thread

    def _needs_run(self) -> bool:
        """Whether to ask for a run; one place in the quota lasts until a run is given."""
        if not self._is_leaving and not self._may_ask:
            self._may_ask = self.quota.take()
        return self._may_ask and not self._is_leaving

    def _beat(self) -> bool:
        """Call the server once; return whether to call again."""
        self._wake.clear()
        running = self._running()
        if not running:
            if not self._needs_run():
                return False
            running = self._resumed()
        try:
            orders = self.server.heartbeat(self.id, running)
        except (ServerUnavailable, PermissionDenied) as error:
            self._back_off(error)
            return True
        self._silent_since, self._wait_s = None, self.retries.poll_s
        for order in orders:
            self._accept(order)
        return True

    def _running(self) -> list[str]:
        with self._lock:
            return sorted(self._runs)

    def _resumed(self) -> list[str]:
        """Start an orphaned run, if there is one, and report it as running from now on."""
        start = self.quota.take_orphaned()
        if start is not None:
            self._accept(start)
        return [start.run_id] if start is not None else []

    def _accept(self, order: Order) -> None:
        if isinstance(order, Start):
            with self._lock:
                self._runs.add(order.run_id)
            self._may_ask = False
        self._orders.put(order)

    def _back_off(self, error: ServerUnavailable | PermissionDenied) -> None:
        """Double the wait for the next call; raise `ServerUnavailable` after `patience_s`."""
        now = time.monotonic()
        self._wait_s = min(self.retries.slowest_s, 2 * self._wait_s)
        if self._silent_since is None:
            self._silent_since, self._wait_s = now, self.retries.poll_s
        silent_s = now - self._silent_since
        if silent_s >= self.retries.patience_s:
            raise ServerUnavailable(f"{error}, and this for {silent_s / 60:.2g} min") from error
