"""What every tracker does: it logs each epoch once, and its failures never reach a trial."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from helpers.tracking import ENDING, RUN_INFO, RecordingTracker, epoch_row, lose_connection
from helpers.wandb_runs import read_run

from audiocls.tracking import Ending, NullTracker, RunInfo, ServerAvailability, Tracker, start
from audiocls.tracking.tensorboard import TensorboardRun
from audiocls.tracking.wandb.run import WandbRun, restart
from audiocls.tracking.wrappers import BackgroundTracker, ReconnectingTracker, TrackerGroup

Rows = Sequence[Mapping[str, Any]]
Curve = list[tuple[float, float]]
"""Epoch and validation accuracy, in the order logged."""


@dataclass(frozen=True)
class Opening:
    """A tracker to be opened for a run, and a way to read back what it has logged."""

    open: Callable[[], Tracker]
    read: Callable[[], list[Curve]]
    """One curve for each place that the tracker logs to."""


def curve_of(rows: Rows) -> Curve:
    return [(row["epoch"], row["val/accuracy"]) for row in rows if "val/accuracy" in row]


def kept_by(*trackers: RecordingTracker) -> list[Curve]:
    return [curve_of([row for row in each.told if isinstance(row, dict)]) for each in trackers]


def tensorboard_curve(folder: Path) -> Curve:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    scalars = events.EventAccumulator(str(folder)).Reload().Scalars("val/accuracy")
    return [(float(scalar.step), pytest.approx(scalar.value)) for scalar in scalars]


def wandb_curve(folder: Path) -> Curve:
    return curve_of(read_run(folder).history)


def recording(rows: Rows = ()) -> RecordingTracker:
    """Return a tracker that has logged the rows of an earlier attempt."""
    tracker = RecordingTracker()
    for row in rows:
        tracker.log(row)
    return tracker


def null(info: RunInfo) -> Opening:
    return Opening(NullTracker, list)


def background(info: RunInfo) -> Opening:
    inner = recording(info.history)
    return Opening(lambda: BackgroundTracker(lambda: inner), lambda: kept_by(inner))


def group(info: RunInfo) -> Opening:
    one, other = recording(info.history), recording(info.history)
    openers = {"one": lambda: one, "other": lambda: other}
    return Opening(lambda: TrackerGroup(openers), lambda: kept_by(one, other))


def reconnecting(info: RunInfo) -> Opening:
    opened: list[RecordingTracker] = []

    def open_run(rows: Rows) -> Tracker:
        opened.append(recording(rows))
        return opened[-1]

    return Opening(
        lambda: ReconnectingTracker(open_run, lambda: None, info.history),
        lambda: kept_by(opened[-1]),
    )


def tensorboard(info: RunInfo) -> Opening:
    folder = info.folder / "events"
    return Opening(lambda: TensorboardRun(folder, info), lambda: [tensorboard_curve(folder)])


def wandb_offline(info: RunInfo) -> Opening:
    return Opening(
        lambda: WandbRun("offline", info, ServerAvailability()), lambda: [wandb_curve(info.folder)]
    )


def started(info: RunInfo) -> Opening:
    """What a trial gets that is tracked by both services."""

    def read() -> list[Curve]:
        (events,) = (info.folder / "tensorboard").iterdir()
        return [tensorboard_curve(events), wandb_curve(info.folder)]

    return Opening(lambda: start("offline", info, has_tensorboard=True), read)


TRACKERS = [null, background, group, reconnecting, tensorboard, wandb_offline, started]
OWN_FOLDER = [tensorboard, wandb_offline, started]
CONTAINING: dict[str, Callable[[Callable[[], Tracker]], Tracker]] = {
    "background": BackgroundTracker,
    "group": lambda open_tracker: TrackerGroup({"only": open_tracker}),
    "group of both": lambda open_tracker: TrackerGroup(
        {"failing": open_tracker, "well": RecordingTracker}
    ),
}


def log_and_finish(tracker: Tracker, epochs: Sequence[int], ending: Ending = ENDING) -> str:
    for epoch in epochs:
        tracker.log(epoch_row(epoch))
    return tracker.finish(ending).note


def expected(epochs: Sequence[int]) -> Curve:
    return curve_of([epoch_row(epoch) for epoch in epochs])


def name_of(function: Callable[..., Any]) -> str:
    return function.__name__


@pytest.fixture
def info(tmp_path: Path) -> RunInfo:
    return replace(RUN_INFO, folder=tmp_path / "study")


@pytest.mark.parametrize("kind", TRACKERS, ids=name_of)
class TestEveryTracker:
    def test_logs_each_epoch_once_in_order(self, kind, info):
        opening = kind(info)
        assert log_and_finish(opening.open(), (1, 2, 3)) == ""
        assert all(curve == expected((1, 2, 3)) for curve in opening.read())

    def test_a_resumed_run_begins_with_the_epochs_of_the_earlier_attempt(self, kind, info):
        opening = kind(replace(info, history=(epoch_row(1), epoch_row(2))))
        assert log_and_finish(opening.open(), (3,)) == ""
        assert all(curve == expected((1, 2, 3)) for curve in opening.read())

    def test_a_trial_that_fails_before_its_first_epoch_is_finished(self, kind, info):
        assert log_and_finish(kind(info).open(), (), Ending(exit_code=1)) == ""

    def test_values_that_are_not_finite_and_text_are_taken(self, kind, info):
        tracker = kind(info).open()
        tracker.log({"epoch": 1.0, "train/loss": math.nan, "note": "diverged"})
        assert tracker.finish(Ending({"cell.arm": "dropout=0.1 – naïve"}, 1)).note == ""


@pytest.mark.parametrize("kind", OWN_FOLDER, ids=name_of)
def test_a_folder_that_cannot_be_written_is_reported_and_not_raised(kind, info):
    info.folder.write_text("a file where the folder should be")
    assert log_and_finish(BackgroundTracker(kind(info).open), (1, 2)) != ""


@pytest.mark.parametrize("container", CONTAINING)
class TestEveryContainer:
    """The trackers that a trial is given, around one that fails."""

    @pytest.mark.parametrize("call", ["open", "log", "finish"])
    def test_an_error_in_any_call_is_reported_and_not_raised(self, container, call):
        tracker = CONTAINING[container](lambda: RecordingTracker(call, lose_connection))
        assert "ConnectionResetError" in log_and_finish(tracker, (1, 2))

    @pytest.mark.parametrize("call", ["open", "log", "finish"])
    def test_an_error_that_stays_is_reported_after_the_last_reopening(self, container, call):
        def open_run(rows: Rows) -> Tracker:
            return RecordingTracker(call, lose_connection)

        tracker = CONTAINING[container](lambda: ReconnectingTracker(open_run, lambda: None, ()))
        assert "ConnectionResetError" in log_and_finish(tracker, (1, 2, 3, 4, 5))

    def test_one_lost_connection_is_not_noticed_by_the_trial(self, container):
        opened: list[RecordingTracker] = []

        def open_run(rows: Rows) -> Tracker:
            is_first = not opened
            opened.append(RecordingTracker("log", lose_connection) if is_first else recording(rows))
            return opened[-1]

        tracker = CONTAINING[container](lambda: ReconnectingTracker(open_run, lambda: None, ()))
        assert log_and_finish(tracker, (1, 2, 3)) == ""
        assert kept_by(opened[-1]) == [expected((1, 2, 3))]


def test_an_opening_that_never_returns_costs_the_trial_no_more_than_the_limit():
    over = threading.Event()

    def open_tracker() -> Tracker:
        over.wait(60)
        return RecordingTracker()

    report = BackgroundTracker(open_tracker, timeout_s=0.1).finish(ENDING)
    over.set()
    assert report.is_beyond_repair


@pytest.fixture(scope="module", autouse=True)
def _no_client_process_left():
    yield
    restart()
