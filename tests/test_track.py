"""Tracking may raise, hang or find no disk; a trial does not notice, and is told once why."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from helpers.tracking import ENDING, RUN_INFO, RecordingTracker, lose_connection
from helpers.trials import OFFLINE, train, trainable_job
from helpers.wandb_runs import read_run

from audiocls.errors import UsageError
from audiocls.execution.messages import Done
from audiocls.store import TrialFolder
from audiocls.tracking import Ending, FinishReport, NullTracker, Tracker, start
from audiocls.tracking.mode import default_mode, has_key
from audiocls.tracking.wrappers import BackgroundTracker

KEY = "x" * 40


@contextmanager
def hanging() -> Iterator[Callable[[], None]]:
    """Something that waits until the test is over, and longer than any test should."""
    over = threading.Event()
    try:
        yield lambda: over.wait(60) and None
    finally:
        over.set()


def use(tracker: Tracker) -> tuple[str, float]:
    """A whole trial's calls: what `finish` answered, and the seconds that all took."""
    started = time.monotonic()
    for epoch in range(3):
        tracker.log({"epoch": epoch})
    return tracker.finish(ENDING).note, time.monotonic() - started


def test_a_tracker_is_told_everything_in_order():
    listener = RecordingTracker()
    note, _ = use(BackgroundTracker(lambda: listener))
    assert note == ""
    assert listener.told == [
        {"epoch": 0},
        {"epoch": 1},
        {"epoch": 2},
        ENDING,
    ]


def test_a_row_changed_after_it_was_told_is_told_as_it_was():
    listener = RecordingTracker()
    tracker = BackgroundTracker(lambda: listener)
    row = {"epoch": 1}
    tracker.log(row)
    row["epoch"] = 2
    tracker.finish(Ending())
    assert listener.told[0] == {"epoch": 1}


@pytest.mark.parametrize("call", ["open", "log", "finish"])
def test_a_tracker_that_raises_is_reported_and_never_raises_at_the_trial(call):
    note, seconds = use(
        BackgroundTracker(lambda: RecordingTracker(call, lose_connection), timeout_s=5)
    )
    assert note == "tracking stopped: ConnectionResetError: the other side is gone"
    assert seconds < 4


def test_the_reason_is_the_first_fault_and_nothing_is_told_after_it():
    listener = RecordingTracker("log", lose_connection)
    tracker = BackgroundTracker(lambda: listener)
    note, _ = use(tracker)
    assert note.count("ConnectionResetError") == 1
    assert listener.told == []


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_even_an_exit_in_the_tracker_is_contained(error):
    def leave() -> None:
        raise error

    note, _ = use(BackgroundTracker(lambda: RecordingTracker("log", leave)))
    assert type(error).__name__ in note


@pytest.mark.parametrize("call", ["open", "log", "finish"])
def test_a_tracker_that_hangs_is_left_behind_after_the_timeout(call):
    with hanging() as hang:
        note, seconds = use(BackgroundTracker(lambda: RecordingTracker(call, hang), timeout_s=0.2))
    assert note == "tracking did not finish within 0.2 s and was left behind"
    assert 0.2 <= seconds < 5


def test_a_process_with_a_stuck_tracker_is_beyond_repair():
    assert (
        not BackgroundTracker(lambda: RecordingTracker("log", lose_connection))
        .finish(ENDING)
        .is_beyond_repair
    )
    with hanging() as hang:
        assert (
            BackgroundTracker(lambda: RecordingTracker("open", hang), 0.1)
            .finish(ENDING)
            .is_beyond_repair
        )


def test_a_hanging_tracker_costs_an_epoch_nothing():
    with hanging() as hang:
        tracker = BackgroundTracker(lambda: RecordingTracker("open", hang), timeout_s=0.1)
        started = time.monotonic()
        for epoch in range(1000):
            tracker.log({"epoch": epoch})
        assert time.monotonic() - started < 2
        tracker.finish(Ending())


def test_silent_tells_nobody_and_has_no_complaint(tmp_path):
    assert use(NullTracker())[0] == ""
    tracker = start("disabled", replace(INFO, folder=tmp_path / "w"))
    assert isinstance(tracker, NullTracker)
    assert use(tracker)[0] == ""
    assert not list(tmp_path.iterdir())


INFO = replace(
    RUN_INFO,
    tags=("one", "two"),
    config={"optim": {"name": "adamw", "lr": 1e-3}, "seed": 0, "arm": "dropout=0.1"},
    notes="why",
    history=({"epoch": 1.0, "val/accuracy": 0.3},),
)


def test_an_offline_run_is_really_written_with_all_that_was_told(tmp_path):
    tracker = start("offline", replace(INFO, folder=tmp_path / "made" / "here"))
    tracker.log({"epoch": 2.0, "val/accuracy": 0.4, "lr": 1e-3})
    tracker.log({"epoch": 3.0, "val/accuracy": 0.5, "lr": 5e-4})
    assert (
        tracker.finish(Ending({"test/accuracy": 0.45, "cell/arm": "dropout=0.1"}, 0))
        == FinishReport()
    )
    run = read_run(tmp_path)
    assert (run.id, run.project, run.group) == ("0123456789ab-1", "audiocls", "dropout")
    assert (run.job_type, run.name, run.notes) == ("dropout=0.1", "dropout=0.1 s0 f1", "why")
    assert run.tags == ("one", "two")
    assert {key: run.config[key] for key in INFO.config} == INFO.config
    assert [row["epoch"] for row in run.history] == [1.0, 2.0, 3.0]
    assert [row["val/accuracy"] for row in run.history] == [0.3, 0.4, 0.5]
    assert [row.get("lr") for row in run.history] == [None, 1e-3, 5e-4]
    assert run.summary["test/accuracy"] == 0.45
    assert run.summary["cell/arm"] == "dropout=0.1"
    assert run.step_metrics["*"] == "epoch"
    assert run.exit_code == 0


def test_runs_of_one_worker_one_after_the_other_do_not_mix(tmp_path):
    for i, exit_code in enumerate((0, 1)):
        tracker = start("offline", replace(INFO, id=f"run{i}", folder=tmp_path / str(i)))
        tracker.log({"epoch": 2.0, "which": i})
        assert tracker.finish(Ending({"which": i}, exit_code)) == FinishReport()
    for i, exit_code in enumerate((0, 1)):
        run = read_run(tmp_path / str(i))
        assert (run.id, run.summary["which"], run.exit_code) == (f"run{i}", i, exit_code)
        assert [row.get("which") for row in run.history] == [None, i]


def test_a_folder_that_cannot_be_written_is_reported_and_nothing_else(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    note, seconds = use(start("offline", replace(INFO, folder=blocked)))
    assert note.startswith("tracking stopped: ")
    assert str(blocked) in note
    assert seconds < 5


def test_a_trial_is_trained_recorded_and_reported_done_without_a_place_to_track(
    tmp_path, tiny_config, cache
):
    blocked = tmp_path / "wandb"
    blocked.write_text("not a folder")
    trial = TrialFolder(tmp_path / "trial")
    job = trainable_job(tiny_config(), blocked, cache, trial=trial, tracking=OFFLINE)
    done = train(job, cache)
    assert isinstance(done, Done)
    assert "tracking stopped" in str(done)
    assert trial.record() is not None
    assert len(trial.history()) == 2


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({}, "offline"),
        ({"WANDB_API_KEY": KEY}, "online"),
        ({"WANDB_API_KEY": ""}, "offline"),
        ({"WANDB_MODE": "disabled", "WANDB_API_KEY": KEY}, "disabled"),
        ({"WANDB_MODE": "offline", "WANDB_API_KEY": KEY}, "offline"),
        ({"WANDB_MODE": "online"}, "online"),
        ({"WANDB_MODE": ""}, "offline"),
    ],
    ids=str,
)
def test_the_mode_is_the_one_chosen_or_online_where_there_is_a_key(environment, mode):
    assert default_mode(environment) == mode


def test_an_unknown_mode_is_refused_with_those_allowed():
    with pytest.raises(UsageError, match="got 'dryrun'; allowed: online, offline, disabled"):
        default_mode({"WANDB_MODE": "dryrun"})


def test_a_key_in_the_netrc_file_counts_for_its_host_only(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not has_key({})
    (tmp_path / ".netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert has_key({})
    assert has_key({"WANDB_BASE_URL": "https://api.wandb.ai"})
    assert not has_key({"WANDB_BASE_URL": "http://localhost:8080/"})


@pytest.mark.parametrize("content", ["machine", "\x00garbage {"])
def test_a_damaged_netrc_file_is_no_key_and_no_crash(tmp_path, content):
    file = tmp_path / "netrc"
    file.write_text(content)
    assert not has_key({"NETRC": str(file)})


def test_the_users_project_is_the_environments_or_else_ours(monkeypatch, tmp_path):
    from audiocls.studies.options import LaunchOptions

    means = LaunchOptions(tmp_path, "offline")
    assert means.tracking().project == "audiocls"
    monkeypatch.setenv("WANDB_PROJECT", "birds")
    assert means.tracking().project == "birds"


@pytest.mark.parametrize("writer", ["writer: error saving", "flowcontrol: failed to flush writer"])
def test_whoever_finds_the_disk_full_first_the_run_is_not_whole(tmp_path, writer):
    from audiocls.tracking.wandb.errors import ClientFault, client_error

    log = tmp_path / "debug-internal.log"
    full = {"level": "ERROR", "msg": writer, "error": "file too large"}
    closed = {"level": "INFO", "msg": "stream: all finished"}
    log.write_text(f"{json.dumps(full)}\n{json.dumps(closed)}\n")
    assert client_error(log) == ClientFault("file too large", is_local=True)
