"""Whatever befalls tracking: the trial ends with its record in a stated time, and is told why."""

import gc
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.tracking import RUN_INFO, epoch_row, track_three_epochs
from helpers.trials import trainable_job
from helpers.wandb_runs import read_log, read_run
from wandb_server import Server

from audiocls.execution.job import NativeJob, TrackingConfig
from audiocls.execution.messages import Done, Epoch
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Cell, TrialFolder
from audiocls.tracking import Ending, FinishReport, RunInfo, run_id_of, start, wrappers
from audiocls.tracking.wandb import run
from audiocls.tracking.wandb.log import LoggedRun
from audiocls.tracking.wandb.sync import newest, run_folders
from audiocls.tracking.wrappers import ServerAvailability
from audiocls.training.fit import Signal

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning"
)
"""Threads of W&B's client that watch a process which was killed."""
BOTH = pytest.mark.parametrize("mode", ["online", "offline"])


@pytest.fixture
def info(tmp_path: Path) -> RunInfo:
    return replace(RUN_INFO, folder=tmp_path / "study")


@pytest.fixture(autouse=True)
def timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stated ones, shortened alike."""
    monkeypatch.setattr(run, "INIT_TIMEOUT_S", 1.5)
    monkeypatch.setattr(run, "FINISH_TIMEOUT_S", 1.5)


def told(server: Server, run_id: str = RUN_INFO.id) -> list[float]:
    return [row["epoch"] for row in server.run(run_id).history if "val/accuracy" in row]


def kept(folder: Path) -> LoggedRun:
    """The run of the newest offline folder."""
    newest = max(folder.glob("wandb/offline-run-*/*.wandb"), key=lambda log: log.stat().st_mtime_ns)
    return read_log(newest)


def client() -> psutil.Process:
    """W&B's own process, started by this one."""
    children = psutil.Process().children(recursive=True)
    return next(child for child in children if "wandb" in child.name())


def kill_client() -> None:
    """And wait for it, which W&B does not: Python would warn of it at any later moment."""
    number = client().pid
    (process,) = [
        found
        for found in gc.get_objects()
        if type(found) is subprocess.Popen and found.pid == number
    ]
    process.kill()
    process.wait()


def wait_until_told(server: Server, num_rows: int) -> None:
    deadline = time.monotonic() + 20
    while not server.runs() or len(told(server)) < num_rows:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_opened(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while not any(log.stat().st_size for log in folder.glob("wandb/*/*.wandb")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


# W&B's own process


@BOTH
def test_a_client_killed_in_mid_trial_is_started_again_and_nothing_is_lost(
    wandb_server: Server, info: RunInfo, mode
):
    tracker = start(mode, info)
    for epoch in (1, 2):
        tracker.log(epoch_row(epoch))
    wait_until_opened(info.folder)
    kill_client()
    tracker.log(epoch_row(3))
    assert tracker.finish(Ending({"test/accuracy": 0.5})) == FinishReport()
    if mode == "online":
        assert told(wandb_server) == [1, 2, 3]
        assert wandb_server.run(RUN_INFO.id).state == "finished"
    else:
        assert [row["epoch"] for row in kept(info.folder).history] == [1, 2, 3]
        assert kept(info.folder).exit_code == 0


@BOTH
def test_a_client_killed_between_trials_harms_none(wandb_server: Server, info: RunInfo, mode):
    assert track_three_epochs(mode, info) == FinishReport()
    kill_client()
    assert track_three_epochs(mode, replace(info, id="next")) == FinishReport()
    if mode == "online":
        assert told(wandb_server, "next") == [1, 2, 3]
    else:
        assert kept(info.folder).id == "next"


def test_a_client_that_hangs_is_left_behind_in_the_stated_time(
    wandb_server: Server, info: RunInfo, monkeypatch
):
    before = set(threading.enumerate())
    monkeypatch.setattr(wrappers.BackgroundTracker.__init__, "__defaults__", (1.0,))
    tracker = start("offline", info)
    tracker.log(epoch_row(1))
    wait_until_opened(info.folder)
    hanging = client()
    hanging.suspend()
    try:
        began = time.monotonic()
        answer = tracker.finish(Ending())
        assert 1 <= time.monotonic() - began < 3
        assert answer.is_beyond_repair
        assert "left behind" in answer.note
    finally:
        hanging.resume()
        for thread in set(threading.enumerate()) - before:
            thread.join(2)


# The server


def test_errors_that_pass_lose_nothing(wandb_server: Server, info: RunInfo, monkeypatch):
    monkeypatch.setattr(run, "FINISH_TIMEOUT_S", 15.0)
    tracker = start("online", info)
    wandb_server.fail("file_stream", 500, times=2)
    for epoch in (1, 2, 3):
        tracker.log(epoch_row(epoch))
    assert tracker.finish(Ending()) == FinishReport()
    assert told(wandb_server) == [1, 2, 3]
    assert 500 in {request.status for request in wandb_server.requests}


@pytest.mark.parametrize("fault", ["errors", "refusal", "stall", "gone"])
def test_what_a_server_did_not_take_is_named_in_the_stated_time(
    wandb_server: Server, info: RunInfo, fault
):
    tracker = start("online", info)
    tracker.log(epoch_row(1))
    wait_until_told(wandb_server, 0)
    {
        "errors": lambda: wandb_server.fail("file_stream", 500),
        "refusal": lambda: wandb_server.fail("file_stream", 401),
        "stall": lambda: wandb_server.stall("file_stream", 60),
        "gone": wandb_server.close,
    }[fault]()
    for epoch in (2, 3):
        tracker.log(epoch_row(epoch))
    began = time.monotonic()
    note = tracker.finish(Ending()).note
    assert time.monotonic() - began < 6
    (folder,) = (info.folder / "wandb").glob("run-*")
    assert note.startswith(f"W&B run {RUN_INFO.id} was not uploaded: ")
    upload = f"audiocls sweep sync study --runs {info.folder.parent}"
    assert note.endswith(f"It lies in {folder}; upload it with: {upload}")
    wandb_server.heal()
    assert track_three_epochs("offline", replace(info, id="next")) == FinishReport()


@pytest.mark.parametrize("fault", ["nobody", "errors", "stall", "wrong key", "no key"])
def test_a_run_that_no_server_opens_is_kept_offline_and_named(
    wandb_server: Server, info: RunInfo, fault, monkeypatch
):
    if fault == "nobody":
        wandb_server.close()
    elif fault == "errors":
        wandb_server.fail("", 500)
    elif fault == "stall":
        wandb_server.stall("", 60)
    else:
        monkeypatch.setenv("WANDB_API_KEY", "w" * 40 if fault == "wrong key" else "")
    began, reach = time.monotonic(), ServerAvailability()
    answer = track_three_epochs("online", info, reach)
    assert time.monotonic() - began < 8
    assert not answer.is_beyond_repair
    assert answer.note.startswith(f"W&B run {RUN_INFO.id} was not uploaded: ")
    assert answer.note.endswith(
        f"upload it with: audiocls sweep sync study --runs {info.folder.parent}"
    )
    newest_log = newest(run_folders(info.folder))[RUN_INFO.id].log
    run = read_log(newest_log)
    assert (run.id, run.exit_code, len(run.history)) == (RUN_INFO.id, 0, 3)
    assert str(newest_log.parent) in answer.note
    began = time.monotonic()
    later = track_three_epochs("online", replace(info, id="next"), reach).note
    assert time.monotonic() - began < 1.2, "the next trial waited for the same server"
    assert "W&B run next was not uploaded" in later


def test_a_server_that_came_back_is_told_again_after_a_while(wandb_server: Server, info: RunInfo):
    reach = ServerAvailability(retry_after_s=0.5)
    wandb_server.close()
    assert track_three_epochs("online", info, reach).note
    wandb_server.reopen()
    time.sleep(0.5)
    assert track_three_epochs("online", replace(info, id="next"), reach) == FinishReport()
    assert told(wandb_server, "next") == [1, 2, 3]


# The machine


@contextmanager
def no_file_grows_beyond(num_bytes: int) -> Iterator[None]:
    """As on a full disk, for this process and those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@BOTH
def test_a_full_disk_is_named_and_harms_no_other_run(wandb_server: Server, info: RunInfo, mode):
    with no_file_grows_beyond(16384):
        tracker = start(mode, info)
        for epoch in range(300):
            tracker.log({"epoch": epoch, **{f"k{i}": epoch * i * 0.123 for i in range(30)}})
        answer = tracker.finish(Ending())
    assert answer.note.startswith(f"W&B run {RUN_INFO.id} is not whole in {info.folder}")
    assert "file too large" in answer.note or "breaks off" in answer.note


@BOTH
def test_a_clock_that_jumps_changes_nothing(wandb_server: Server, info: RunInfo, mode, monkeypatch):
    true_time, jumps_s = time.time, iter([0.0, -3600.0, 7200.0, -7200.0])
    tracker = start(mode, info)
    for epoch, jump_s in enumerate(jumps_s):
        monkeypatch.setattr(time, "time", lambda jump_s=jump_s: true_time() + jump_s)
        tracker.log(epoch_row(epoch))
        time.sleep(0.05)
    began = time.monotonic()
    assert tracker.finish(Ending()) == FinishReport()
    assert time.monotonic() - began < 6
    if mode == "online":
        assert told(wandb_server) == [0, 1, 2, 3]
    else:
        assert [row["epoch"] for row in read_run(info.folder).history] == [0, 1, 2, 3]


ONE_STUDY = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from helpers.tracking import RUN_INFO, track_three_epochs
info = replace(RUN_INFO, id=sys.argv[1], group=sys.argv[1], folder=Path(sys.argv[2]))
told = track_three_epochs("online", info)
assert told.note == "", told
"""


def test_two_studies_at_once_do_not_mix(wandb_server: Server, tmp_path: Path):
    names, tests = ("one", "other"), Path(__file__).parents[1]
    words = [sys.executable, "-c", ONE_STUDY]
    studies = [
        subprocess.Popen([*words, name, str(tmp_path), str(tests), str(tests.parent)])
        for name in names
    ]
    assert [study.wait(60) for study in studies] == [0, 0]
    for name in names:
        run = wandb_server.run(name)
        assert (run.group, run.state, told(wandb_server, name)) == (name, "finished", [1, 2, 3])


# The trial

TRIAL, STUDY = "0123456789ab", "dropout"
RUN = run_id_of(TRIAL, STUDY, 1)


def trained(job: NativeJob, cache: Path, on_epoch: Any = lambda epoch: None) -> Done:
    events: list[Any] = []

    def emit(event: Any) -> None:
        events.append(event)
        if isinstance(event, Epoch):
            on_epoch(event.epoch)

    train_trial(job, WorkerCache(cache), emit, lambda: Signal.CONTINUE)
    assert isinstance(events[-1], Done), events[-1]
    return events[-1]


@pytest.fixture
def job(tmp_path: Path, tiny_config, cache: Path) -> NativeJob:
    return trainable_job(
        tiny_config(),
        tmp_path / "study",
        cache,
        study=STUDY,
        cell=Cell(TRIAL, "baseline", 0, 1),
        trial=TrialFolder(tmp_path / "trial"),
        tracking=TrackingConfig("online", "audiocls", has_model=True),
    )


def without_times(trial: TrialFolder) -> Any:
    record = trial.record()
    assert record is not None
    rows = [{k: row[k] for k in row if k != "seconds"} for row in trial.history()]
    return record.metrics, rows


@pytest.mark.parametrize("fault", ["none", "errors", "gone", "wrong key", "client killed"])
def test_every_trial_ends_with_the_same_record_whatever_befalls_tracking(
    wandb_server: Server, job: NativeJob, cache: Path, tmp_path: Path, fault, monkeypatch
):
    def befall(epoch: int) -> None:
        if epoch == 1 and fault == "errors":
            wandb_server.fail("", 500)
        if epoch == 1 and fault == "gone":
            wandb_server.close()
        if epoch == 1 and fault == "client killed":
            wait_until_opened(job.study_folder)
            kill_client()

    if fault == "wrong key":
        monkeypatch.setenv("WANDB_API_KEY", "w" * 40)
    untracked = replace(job.tracking, mode="disabled")
    silent = replace(job, tracking=untracked, trial=TrialFolder(tmp_path / "silent"))
    trained(silent, cache)
    done = trained(job, cache, befall)
    assert without_times(job.trial) == without_times(silent.trial)
    is_whole = fault in ("none", "client killed")
    assert (done.note == "") is is_whole, done
    if is_whole:
        assert told(wandb_server, RUN) == [1, 2]


def test_a_run_says_what_it_was_trained_with_and_what_was_best(
    wandb_server: Server, job: NativeJob, cache: Path
):
    assert trained(job, cache).note == ""
    run, record = wandb_server.run(RUN), job.trial.record()
    assert record is not None
    assert run.config["data_fingerprint"] == job.spec.data_fingerprint
    for name in ("code", "audiocls", "python", "torch", "device"):
        assert run.config[name] == getattr(record.provenance, name)
    assert run.config["model"]["name"] == "logmel_cnn"
    rows = {row["epoch"]: row for row in run.history if "val/accuracy" in row}
    best = rows[run.summary["best/epoch"]]
    assert run.summary["best/val/accuracy"] == best["val/accuracy"]
    assert all(row["lr"] > 0 and row["train/grad_norm"] > 0 for row in rows.values())
    assert run.summary["test/accuracy"] == record.metrics["test/accuracy"]
    assert {"test/classes", "test/confusion_table"} <= run.summary.keys()
    assert [artifact.type for artifact in wandb_server.artifacts()].count("model") == 1
    assert wandb_server.unknown == []
