"""Trackers around other trackers: on a thread, several at once, reopened after a failure.

With them the failure of a tracker never reaches the trial. `start` opens what a trial asks for, so
wrapped; `ServerAvailability` is the memory of a server that did not answer.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from audiocls.machine import fault_of
from audiocls.tracking.tracker import (
    Ending,
    FinishReport,
    NullTracker,
    RunInfo,
    Tracker,
    WandbMode,
    trial_of,
)

FINISH_TIMEOUT_S = 30.0
"""How long a trial waits for one tracker after its last epoch, whatever has happened to it."""
MAX_REOPENINGS = 3
"""Of one run: a process that keeps dying has a reason that does not go away."""
RETRY_AFTER_S = 120.0
"""Seconds before a server that was unreachable or refused the key is tried again."""
MAX_NAME_CHARACTERS = 80
"""Of a run's name, in the name of its folder: file systems take 255 bytes."""

Call = Callable[[Tracker], FinishReport | None]
Row = Mapping[str, Any]


class BackgroundTracker:
    """Runs another tracker's calls in order on a thread; neither its errors nor its waits get out.

    `folder` is where the tracker writes. Calls are queued and return at once. `finish` waits at
    most `timeout_s` seconds for the queue to empty. A thread that is stuck by then is abandoned (it
    is a daemon), and the reason reported.
    """

    def __init__(
        self,
        open_tracker: Callable[[], Tracker],
        timeout_s: float = FINISH_TIMEOUT_S,
        *,
        folder: Path | None = None,
    ):
        self._folders = [Path(gettempdir())] if folder is None else [folder, Path(gettempdir())]
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._timeout_s = timeout_s
        self._report = FinishReport()
        self._thread = threading.Thread(target=self._serve, args=(open_tracker,), daemon=True)
        self._thread.start()

    def log(self, row: Row) -> None:
        """Queue a copy of the row."""
        copy = dict(row)
        self._calls.put(lambda tracker: tracker.log(copy))

    def finish(self, ending: Ending) -> FinishReport:
        """Wait for the queue to empty, and return the tracker's report or its first error."""
        self._calls.put(lambda tracker: tracker.finish(ending))
        self._calls.put(None)
        self._thread.join(self._timeout_s)
        if self._thread.is_alive():
            note = f"tracking did not finish within {self._timeout_s:g} s and was left behind"
            return FinishReport(note, is_beyond_repair=True)
        return self._report

    def _serve(self, open_tracker: Callable[[], Tracker]) -> None:
        try:
            tracker = open_tracker()
            while (call := self._calls.get()) is not None:
                self._report = call(tracker) or self._report
        except BaseException as error:
            # Not swallowed: `finish` reports it, and the trial's log and record stay whole.
            note = f"tracking stopped: {type(error).__name__}: {error}"
            self._report = FinishReport(note, fault=str(fault_of(error, *self._folders) or ""))


class TrackerGroup:
    """Logs to several trackers, each on a thread of its own; problems are reported by name.

    `finish` waits for one after the other, up to `timeout_s` seconds for each.
    """

    def __init__(
        self,
        open_trackers: Mapping[str, Callable[[], Tracker]],
        timeout_s: float = FINISH_TIMEOUT_S,
        *,
        folder: Path | None = None,
    ):
        self._trackers = {
            name: BackgroundTracker(open_tracker, timeout_s, folder=folder)
            for name, open_tracker in open_trackers.items()
        }

    def log(self, row: Row) -> None:
        """Queue the row for each tracker."""
        for tracker in self._trackers.values():
            tracker.log(row)

    def finish(self, ending: Ending) -> FinishReport:
        """Finish all trackers and join their notes."""
        reports = {name: tracker.finish(ending) for name, tracker in self._trackers.items()}
        notes = [f"{name}: {report.note}" for name, report in reports.items() if report.note]
        is_beyond_repair = any(report.is_beyond_repair for report in reports.values())
        faults = (report.fault for report in reports.values() if report.fault)
        return FinishReport("; ".join(notes), is_beyond_repair, next(faults, ""))


class ReconnectingTracker:
    """Reopens its run, with all rows so far, after a call that raised.

    It does so `MAX_REOPENINGS` times at most; then the error is raised. `open_run` takes the rows
    to log at once. `restart` makes the library forget a process of its own that died, which the
    library does not do by itself.
    """

    def __init__(
        self,
        open_run: Callable[[Sequence[Row]], Tracker],
        restart: Callable[[], None],
        history: Sequence[Row],
    ):
        self._open_run, self._restart = open_run, restart
        self._rows = list(history)
        self._num_left = MAX_REOPENINGS
        self._run: Tracker = self._opened()

    def log(self, row: Row) -> None:
        """Log the row, if need be by reopening the run."""
        self._rows.append(row)
        try:
            self._run.log(row)
        except Exception as error:
            self._run = self._reopened(error)

    def finish(self, ending: Ending) -> FinishReport:
        """Finish the run, if need be after reopening it once."""
        try:
            return self._run.finish(ending)
        except Exception as error:
            self._run = self._reopened(error)
            return self._run.finish(ending)

    def _opened(self) -> Tracker:
        try:
            return self._open_run(self._rows)
        except Exception as error:
            return self._reopened(error)

    def _reopened(self, error: Exception) -> Tracker:
        if self._num_left == 0:
            raise error
        self._num_left -= 1
        self._restart()
        return self._open_run(self._rows)


class ServerAvailability:
    """Whether a server that did not answer may be asked again: a circuit breaker.

    Shared by the trials of one worker, so that not each of them waits for the same server.
    """

    def __init__(self, retry_after_s: float = RETRY_AFTER_S):
        self._retry_after_s = retry_after_s
        self._failed_at: float | None = None
        self._reason = ""

    def mark_unavailable(self, reason: str) -> None:
        """Note that the server has just failed to answer, or has refused the key."""
        self._failed_at, self._reason = time.monotonic(), reason

    def absence(self) -> str:
        """Return why the server is not to be called now; empty if it may be."""
        if self._failed_at is None or time.monotonic() >= self._failed_at + self._retry_after_s:
            return ""
        return self._reason


def ignore() -> None:
    """Do nothing, where a run has no stop button."""


def start(
    mode: WandbMode,
    info: RunInfo,
    has_tensorboard: bool = False,
    reach: ServerAvailability | None = None,
    on_stop: Callable[[], None] = ignore,
) -> Tracker:
    """Return the tracker of one trial, without importing services that are not asked for.

    Trials of one process share a `reach`, so that an absent server is waited for once. `on_stop` is
    called on another thread, within 15 s after the stop button of an online run was pressed.
    """
    openers: dict[str, Callable[[], Tracker]] = {}
    if mode != "disabled":
        openers["wandb"] = lambda: _wandb(mode, info, reach or ServerAvailability(), on_stop)
    if has_tensorboard:
        openers["tensorboard"] = lambda: _tensorboard(info)
    if not openers:
        return NullTracker()
    if len(openers) == 1:
        (opener,) = openers.values()
        return BackgroundTracker(opener, folder=info.folder)
    return TrackerGroup(openers, folder=info.folder)


def _wandb(
    mode: WandbMode, info: RunInfo, reach: ServerAvailability, on_stop: Callable[[], None]
) -> Tracker:
    from audiocls.tracking.wandb.run import WandbRun, restart

    def open_run(rows: Sequence[Mapping[str, Any]]) -> Tracker:
        return WandbRun(mode, replace(info, history=tuple(rows)), reach, on_stop)

    return ReconnectingTracker(open_run, restart, info.history)


def _tensorboard(info: RunInfo) -> Tracker:
    """Open a folder of the trial's own, named by its run's name and its id."""
    from audiocls.tracking.tensorboard import TensorboardRun

    name = f"{info.name[:MAX_NAME_CHARACTERS].replace('/', '-')} {trial_of(info.id) or info.id}"
    return TensorboardRun(info.folder / "tensorboard" / name, info)
