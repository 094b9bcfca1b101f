"""`Behind`: a value that is computed on a thread, so that no page waits for it."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")

SHARE = 0.25
"""Of the time, at most, in which a value is computed: the same machine may be training."""


class Behind(Generic[V]):
    """The latest value of a computation; at most one runs at a time."""

    def __init__(self) -> None:
        self._value: V | None = None
        self._key: Hashable = None
        self._thread: threading.Thread | None = None
        self._not_before = self._took_s = 0.0
        self._starting = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], V], wait_s: float) -> V | None:
        """Return the value for `key` if it is known within `wait_s`, or else that of an older one.

        What took longer the last time is not waited for: the page that asks would be later by that.
        `None` where there is none yet. An older value is replaced soon after, not at once, where
        computing takes long. `compute` must not raise.
        """
        with self._starting:
            is_idle = self._thread is None or not self._thread.is_alive()
            if key != self._key and is_idle and time.monotonic() >= self._not_before:
                self._key = key
                self._thread = threading.Thread(target=self._run, args=(compute,), daemon=True)
                self._thread.start()
            thread = self._thread
        if thread is not None and self._took_s <= wait_s:
            thread.join(wait_s)
        return self._value

    def _run(self, compute: Callable[[], V]) -> None:
        started = time.monotonic()
        self._value = compute()
        ended = time.monotonic()
        self._took_s = ended - started
        self._not_before = ended + self._took_s * (1 / SHARE - 1)
