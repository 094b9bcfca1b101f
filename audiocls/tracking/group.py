"""`TrackerGroup`: more than one tracker for one trial, none of which can silence another."""

from collections.abc import Callable, Mapping
from typing import Any

from audiocls.tracking import Ending, FinishReport, Tracker
from audiocls.tracking.background import FINISH_TIMEOUT_S, BackgroundTracker


class TrackerGroup:
    """Tells each tracker by a thread of its own; the faults are reported under their names.

    At the end each may take `timeout_s`, one after the other.
    """

    def __init__(
        self,
        open_trackers: Mapping[str, Callable[[], Tracker]],
        timeout_s: float = FINISH_TIMEOUT_S,
    ):
        self._trackers = {
            name: BackgroundTracker(open_tracker, timeout_s)
            for name, open_tracker in open_trackers.items()
        }

    def log(self, row: Mapping[str, Any]) -> None:
        for tracker in self._trackers.values():
            tracker.log(row)

    def finish(self, ending: Ending) -> FinishReport:
        told = {name: tracker.finish(ending) for name, tracker in self._trackers.items()}
        notes = [f"{name}: {answer.note}" for name, answer in told.items() if answer.note]
        return FinishReport(
            "; ".join(notes), any(answer.is_beyond_repair for answer in told.values())
        )
