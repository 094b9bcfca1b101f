"""TensorBoard's files read back by TensorBoard, and several trackers side by side."""

import json
import math
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.tracking import ENDING, RUN_INFO, RecordingTracker, lose_connection

from audiocls.errors import UsageError
from audiocls.tracking import Ending, FinishReport
from audiocls.tracking.tensorboard import TensorboardRun, require_tensorboard
from audiocls.tracking.wrappers import BackgroundTracker, TrackerGroup

events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

INFO = replace(
    RUN_INFO,
    config={"optim": {"name": "adamw", "lr": 1e-3}, "betas": (0.9, 0.99)},
    folder=Path("unused"),
    notes="why",
)


def read(folder: Path) -> Any:
    accumulator = events.EventAccumulator(str(folder))
    return accumulator.Reload()


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(name)]


def text(folder: Path, name: str) -> Any:
    """The last text of that name, parsed."""
    (written,) = read(folder).Tensors(f"{name}/text_summary")[-1].tensor_proto.string_val
    return json.loads(written)


def row(epoch: int) -> dict[str, float]:
    return {"epoch": float(epoch), "val/accuracy": epoch / 4, "lr": 1e-3}


def test_every_epoch_is_read_back_on_its_own_axis(tmp_path):
    run = TensorboardRun(tmp_path, INFO)
    for epoch in (1, 2, 3):
        run.log(row(epoch))
    assert (
        run.finish(Ending({"test/accuracy": 0.5, "cell.arm": "dropout=0.1"}, 0)) == FinishReport()
    )
    assert curve(tmp_path, "val/accuracy") == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert [step for step, _ in curve(tmp_path, "lr")] == [1, 2, 3]
    assert curve(tmp_path, "test/accuracy") == [(3, 0.5)]
    assert set(read(tmp_path).Tags()["scalars"]) == {"val/accuracy", "lr", "test/accuracy"}


def test_what_is_no_number_is_read_back_as_text(tmp_path):
    run = TensorboardRun(tmp_path, INFO)
    run.finish(Ending({"cell.arm": "dropout=0.1 – naïve"}, 3))
    assert text(tmp_path, "config") == {
        "optim": {"name": "adamw", "lr": 1e-3},
        "betas": [0.9, 0.99],
    }
    assert text(tmp_path, "about")["notes"] == "why"
    assert text(tmp_path, "about")["group"] == "dropout"
    assert text(tmp_path, "summary") == {"cell.arm": "dropout=0.1 – naïve", "exit_code": 3}


def test_a_row_is_on_the_disk_when_it_was_told(tmp_path):
    """So that a killed trial has all its epochs but the one in flight."""
    run = TensorboardRun(tmp_path, INFO)
    run.log(row(1))
    assert curve(tmp_path, "val/accuracy") == [(1, 0.25)]
    run.finish(Ending(exit_code=1))


def test_a_loss_that_is_no_number_is_told_as_that(tmp_path):
    run = TensorboardRun(tmp_path, INFO)
    run.log({"epoch": 1.0, "train/loss": math.nan})
    run.finish(Ending(exit_code=1))
    ((step, value),) = curve(tmp_path, "train/loss")
    assert step == 1
    assert math.isnan(value)


def test_a_later_attempt_replaces_the_earlier_one(tmp_path):
    """Killed in epoch 3, resumed from the snapshot after epoch 1: each epoch is there once."""
    first = TensorboardRun(tmp_path, INFO)
    for epoch in (1, 2):
        first.log(row(epoch))
    second = TensorboardRun(tmp_path, replace(INFO, id="0123456789ab-2", history=(row(1),)))
    for epoch in (2, 3):
        second.log({**row(epoch), "val/accuracy": 1.0})
    second.finish(Ending())
    assert curve(tmp_path, "val/accuracy") == [(1, 0.25), (2, 1.0), (3, 1.0)]
    assert text(tmp_path, "about")["id"] == "0123456789ab-2"


def test_a_folder_that_cannot_be_written_is_reported_and_nothing_else(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    tracker = BackgroundTracker(lambda: TensorboardRun(blocked, INFO), timeout_s=20)
    tracker.log(row(1))
    note = tracker.finish(Ending()).note
    assert note.startswith("tracking stopped: ")


def test_without_tensorboard_one_clear_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("audiocls.tracking.tensorboard.find_spec", lambda name: None)
    for ask in (require_tensorboard, lambda: TensorboardRun(tmp_path, INFO)):
        with pytest.raises(UsageError, match=r"pip install 'audiocls\[tensorboard\]'"):
            ask()


def test_asking_for_tensorboard_imports_neither_it_nor_torch():
    program = (
        "import sys\n"
        "from audiocls.tracking.tensorboard import require_tensorboard\n"
        "require_tensorboard()\n"
        "assert not {'torch', 'tensorboard'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# Several trackers


def use(tracker: TrackerGroup) -> str:
    for epoch in (1, 2):
        tracker.log({"epoch": epoch})
    return tracker.finish(ENDING).note


EVERYTHING = [{"epoch": 1}, {"epoch": 2}, ENDING]


def test_each_of_several_is_told_everything():
    one, other = RecordingTracker(), RecordingTracker()
    assert use(TrackerGroup({"one": lambda: one, "other": lambda: other})) == ""
    assert one.told == other.told == EVERYTHING


@pytest.mark.parametrize("call", ["open", "log", "finish"])
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
def test_one_that_fails_does_not_silence_the_others(call, is_first):
    well = RecordingTracker()
    openers = {"bad": lambda: RecordingTracker(call, lose_connection), "well": lambda: well}
    if not is_first:
        openers = dict(reversed(openers.items()))
    note = use(TrackerGroup(openers))
    assert note == "bad: tracking stopped: ConnectionResetError: the other side is gone"
    assert well.told == EVERYTHING


def test_one_that_hangs_does_not_silence_the_others():
    over, well = threading.Event(), RecordingTracker()

    def hang() -> RecordingTracker:
        over.wait(60)
        return RecordingTracker()

    note = use(TrackerGroup({"slow": hang, "well": lambda: well}, timeout_s=0.2))
    over.set()
    assert note == "slow: tracking did not finish within 0.2 s and was left behind"
    assert well.told == EVERYTHING


def test_all_faults_are_reported():
    note = use(
        TrackerGroup(
            {
                "a": lambda: RecordingTracker("open", lose_connection),
                "b": lambda: RecordingTracker("log", lose_connection),
            }
        )
    )
    assert [part.partition(":")[0] for part in note.split("; ")] == ["a", "b"]


def test_nobody_is_told_by_none():
    assert use(TrackerGroup({})) == ""
