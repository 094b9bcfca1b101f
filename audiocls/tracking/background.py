"""`BackgroundTracker`: a tracker on a thread of its own, which may raise or hang without harm.

Calls are queued and return at once. At the end the trial waits a stated time for the queue to
empty; a thread that is stuck by then is left behind (it is a daemon) and the reason is reported.
"""

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from audiocls.tracking import Ending, FinishReport, Tracker

FINISH_TIMEOUT_S = 30.0
"""How long a trial waits for one tracker after its last epoch, whatever has happened to it."""

Call = Callable[[Tracker], FinishReport | None]


class BackgroundTracker:
    """Runs another tracker's calls in order, and contains its faults."""

    def __init__(self, open_tracker: Callable[[], Tracker], timeout_s: float = FINISH_TIMEOUT_S):
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._timeout_s = timeout_s
        self._told = FinishReport()
        self._thread = threading.Thread(target=self._serve, args=(open_tracker,), daemon=True)
        self._thread.start()

    def log(self, row: Mapping[str, Any]) -> None:
        copy = dict(row)
        self._calls.put(lambda tracker: tracker.log(copy))

    def finish(self, ending: Ending) -> FinishReport:
        self._calls.put(lambda tracker: tracker.finish(ending))
        self._calls.put(None)
        self._thread.join(self._timeout_s)
        if self._thread.is_alive():
            note = f"tracking did not finish within {self._timeout_s:g} s and was left behind"
            return FinishReport(note, is_beyond_repair=True)
        return self._told

    def _serve(self, open_tracker: Callable[[], Tracker]) -> None:
        try:
            tracker = open_tracker()
            while (call := self._calls.get()) is not None:
                self._told = call(tracker) or self._told
        except BaseException as error:
            # Not swallowed: `finish` reports it, and the trial's log and record stay whole.
            self._told = FinishReport(f"tracking stopped: {type(error).__name__}: {error}")
