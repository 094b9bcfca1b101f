"""What a tracker is given, and a tracker that keeps it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from audiocls.tracking import Ending, FinishReport, RunInfo, ServerAvailability, start

RUN_INFO = RunInfo(
    id="0123456789ab-1",
    project="audiocls",
    group="dropout",
    job_type="dropout=0.1",
    name="dropout=0.1 s0 f1",
    tags=("one",),
    config={"optim": {"name": "adamw", "lr": 1e-3}, "seed": 0},
    folder=Path(),
)
ENDING = Ending({"test/accuracy": 0.5})


class RecordingTracker:
    """Keeps all that it is given; calls `do` at the call `at`: `open`, `log` or `finish`."""

    def __init__(self, at: str = "", do: Callable[[], None] = lambda: None):
        self.told: list[Any] = []
        self._at, self._do = at, do
        self._perhaps("open")

    def log(self, row: Mapping[str, Any]) -> None:
        self._perhaps("log")
        self.told.append(row)

    def finish(self, ending: Ending) -> FinishReport:
        self._perhaps("finish")
        self.told.append(ending)
        return FinishReport()

    def _perhaps(self, call: str) -> None:
        if call == self._at:
            self._do()


def lose_connection() -> None:
    """Raise what a lost connection raises."""
    raise ConnectionResetError("the other side is gone")


def epoch_row(epoch: int) -> dict[str, float]:
    """Return the row of an epoch, whose accuracy is a tenth of its number."""
    return {"epoch": float(epoch), "val/accuracy": epoch / 10}


def track_three_epochs(
    mode: Any, info: RunInfo, reach: ServerAvailability | None = None
) -> FinishReport:
    """Track a trial of three epochs from its start to its end."""
    tracker = start(mode, info, reach=reach)
    for epoch in (1, 2, 3):
        tracker.log(epoch_row(epoch))
    return tracker.finish(ENDING)
