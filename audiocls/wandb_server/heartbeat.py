"""`Agent`: one W&B agent's talk with its server, on a thread of its own.

Nothing that the server does or fails to do reaches the scheduler but as orders and, at the end, as
a fault: calls stall here, are tried again here, and are given up here.
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
    """How often an agent asks, and how long it goes on asking a server that does not answer."""

    poll_s: float = 5.0
    """W&B's own agents'; it also asks whenever its run has ended."""
    slowest_s: float = 60.0
    """Each call without an answer doubles the wait for the next one, up to this."""
    patience_s: float = 600.0


PACE = RetryPolicy()


class RunQuota:
    """Runs that may be started yet, over all agents of this process, and those to go on with."""

    def __init__(self, count: int | None = None, left_behind: Iterable[Start] = ()):
        self._count = count
        self._left_behind = deque(left_behind)
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more may be asked for; it then counts as started."""
        with self._lock:
            if self._count == 0:
                return False
            self._count = None if self._count is None else self._count - 1
            return True

    def left_behind(self) -> Start | None:
        """A run that an earlier agent on this machine did not finish."""
        with self._lock:
            return self._left_behind.popleft() if self._left_behind else None


@dataclass
class Agent:
    """Keeps the server told of the runs in hand, and collects its orders.

    Without a run it asks for one. It ends once it has none and wants none, or when the server has
    not answered for too long; the trial in hand is not concerned.
    """

    server: SweepServer
    id: str
    intake: RunQuota
    pace: RetryPolicy = PACE
    fault: Exception | None = None
    """Why it ended before its time."""

    def __post_init__(self) -> None:
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._in_hand: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_leaving = self._may_ask = False
        self._silent_since: float | None = None
        self._wait_s = self.pace.poll_s
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def orders(self) -> list[Order]:
        """What the server has ordered since last asked."""
        return [self._orders.get() for _ in range(self._orders.qsize())]

    def end(self, run_id: str) -> None:
        """The run is over, and the server was told how by the run itself."""
        with self._lock:
            self._in_hand.discard(run_id)
        self._wake.set()

    def leave(self) -> None:
        """Want no further run."""
        self._is_leaving = True
        self._wake.set()

    def is_over(self) -> bool:
        """Whether no order will come any more and none is unread."""
        return not self._thread.is_alive() and self._orders.empty()

    def _serve(self) -> None:
        try:
            while self._beat():
                self._wake.wait(self._wait_s)
        except Exception as error:
            self.fault = error  # not swallowed: whoever reads the orders finds it

    def _wants_run(self) -> bool:
        """Whether to ask for one; the permission lasts until one is given."""
        if not self._is_leaving and not self._may_ask:
            self._may_ask = self.intake.take()
        return self._may_ask and not self._is_leaving

    def _beat(self) -> bool:
        """Whether there was a reason to talk: without a run in hand it asks for one."""
        self._wake.clear()
        running = self._running()
        if not running:
            if not self._wants_run():
                return False
            running = self._taken_up()
        try:
            orders = self.server.heartbeat(self.id, running)
        except (ServerUnavailable, PermissionDenied) as error:
            self._back_off(error)
            return True
        self._silent_since, self._wait_s = None, self.pace.poll_s
        for order in orders:
            self._take(order)
        return True

    def _running(self) -> list[str]:
        with self._lock:
            return sorted(self._in_hand)

    def _taken_up(self) -> list[str]:
        """What was left behind, one of it, is told of as running from now on."""
        start = self.intake.left_behind()
        if start is not None:
            self._take(start)
        return [start.run_id] if start is not None else []

    def _take(self, order: Order) -> None:
        if isinstance(order, Start):
            with self._lock:
                self._in_hand.add(order.run_id)
            self._may_ask = False
        self._orders.put(order)

    def _back_off(self, error: ServerUnavailable | PermissionDenied) -> None:
        """Wait longer each time; give up when patience is at its end."""
        now = time.monotonic()
        self._wait_s = min(self.pace.slowest_s, 2 * self._wait_s)
        if self._silent_since is None:
            self._silent_since, self._wait_s = now, self.pace.poll_s
        silent_s = now - self._silent_since
        if silent_s >= self.pace.patience_s:
            raise ServerUnavailable(f"{error}, and this for {silent_s / 60:.2g} min") from error
