"""`ServerAvailability`: whether a server that did not answer is worth asking again."""

import time

PATIENCE_S = 120.0
"""How long a server is left alone that could not be reached, or took no key."""


class ServerAvailability:
    """Shared by the trials of one worker, so that each does not wait for the same server anew."""

    def __init__(self, patience_s: float = PATIENCE_S):
        self._patience_s = patience_s
        self._lost_at: float | None = None
        self._reason = ""

    def mark_unavailable(self, reason: str) -> None:
        """The server could not be reached just now."""
        self._lost_at, self._reason = time.monotonic(), reason

    def absence(self) -> str:
        """Why it is not worth asking; empty if it is."""
        is_away = self._lost_at is not None and time.monotonic() < self._lost_at + self._patience_s
        return self._reason if is_away else ""
