"""A worker whose last trial's run is uploaded takes another trial; with it, both are lost."""

import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from helpers.processes import wait_until
from helpers.trials import make_job

from audiocls.execution.executors import local
from audiocls.execution.executors.local import LocalExecutor
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Done, Event, Lost, Recorded
from audiocls.execution.worker import Uploads
from audiocls.store import Cell

FAKE = """
import json, os, sys, time
def tell(event, trial, **more):
    print(json.dumps({"event": event, "id": trial, **more}), flush=True)
print("ready", flush=True)
for line in sys.stdin:
    words = line.strip()
    if not words.startswith("{"):
        break
    trial = json.loads(words)["id"]
    if trial == "dies":
        os._exit(9)
    if trial.startswith("spent"):
        tell("Done", "first", is_worker_spent=True)
    tell("Recorded" if trial in ("first", "quick") else "Done", trial)
    if trial == "quick":
        time.sleep(0.5)
        tell("Done", "first")
        time.sleep(0.5)
        tell("Done", "quick")
"""
"""A worker that trains nothing and uploads without end."""


@pytest.fixture
def room() -> int:
    """Return how many trials the worker takes at once."""
    return 1


@pytest.fixture
def executor(tmp_path, monkeypatch, room):
    def start_fake(cache, log, environment, per_device):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen([sys.executable, "-c", FAKE], text=True, bufsize=1, **pipes)

    monkeypatch.setattr(local, "start_process", start_fake)
    made = LocalExecutor(["cpu"], tmp_path, tmp_path / "workers.log", per_device=room)
    yield made
    made.stop(0)


STAYS = """
import json, os, sys, time
from pathlib import Path
print("ready", flush=True)
trial = json.loads(sys.stdin.readline())["id"]
print(json.dumps({"event": "Recorded", "id": trial}), flush=True)
sys.stdin.read()
time.sleep(0.5)
Path(os.environ["TMPDIR"], "uploaded").touch()
"""
"""A worker that uploads for a while after it was stopped, out of its own temporary folder."""


def test_a_worker_that_does_nothing_but_upload_outlives_the_launch(tmp_path, monkeypatch):
    def start_fake(cache, log, environment, per_device):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}
        return subprocess.Popen([sys.executable, "-c", STAYS], text=True, bufsize=1, **pipes)

    monkeypatch.setattr(local, "start_process", start_fake)
    executor = LocalExecutor(["cpu"], tmp_path, tmp_path / "workers.log")
    executor.submit(job("first"))
    assert events_of(executor, 1) == [Recorded("first")]
    assert executor.stop(0.0) == [Done("first", local.NOT_UPLOADED)]
    wait_until(lambda: list(tmp_path.glob("tmp/*/*/uploaded")) != [])


def job(trial_id: str) -> NativeJob:
    return make_job(Path("study"), cell=Cell(trial_id, "baseline", 0, 1))


def events_of(executor: LocalExecutor, num: int) -> list[Event]:
    found: list[Event] = []
    for _ in range(100):
        found += executor.poll(0.1)
        if len(found) >= num:
            return found
    raise AssertionError(f"only {found}")


def test_a_worker_that_uploads_is_free(executor):
    executor.submit(job("first"))
    assert executor.num_free() == 0
    assert events_of(executor, 1) == [Recorded("first")]
    assert executor.num_free() == 1
    executor.submit(job("second"))
    assert events_of(executor, 1) == [Done("second")]


def test_a_trial_that_is_shorter_than_the_upload_before_it_ends_after_that(executor):
    executor.submit(job("first"))
    assert events_of(executor, 1) == [Recorded("first")]
    executor.submit(job("quick"))
    assert events_of(executor, 1) == [Recorded("quick")]
    assert executor.num_free() == 0  # its upload has not begun
    assert events_of(executor, 1) == [Done("first")]
    assert executor.num_free() == 1
    assert events_of(executor, 1) == [Done("quick")]
    executor.submit(job("dies"))
    (lost,) = events_of(executor, 1)
    assert isinstance(lost, Lost)
    assert lost.id == "dies"


@pytest.mark.parametrize("room", [2])
def test_a_worker_takes_a_pack_while_the_one_before_it_is_uploaded(executor):
    executor.submit(job("first"))
    executor.submit(job("quick"))
    assert executor.num_free() == 0
    assert events_of(executor, 2) == [Recorded("first"), Recorded("quick")]
    assert executor.num_free() == 2
    assert events_of(executor, 2) == [Done("first"), Done("quick")]


def test_uploads_are_made_in_order_and_nobody_waits_for_them():
    uploads, may_end, made = Uploads(), threading.Event(), []

    def upload(number: int) -> None:
        may_end.wait()
        made.append(number)

    for number in range(3):
        uploads.finish(partial(upload, number))
    assert made == []
    may_end.set()
    uploads.wait()
    assert made == [0, 1, 2]


def test_with_a_worker_the_trial_that_is_uploaded_is_lost_as_well(executor):
    executor.submit(job("first"))
    events_of(executor, 1)
    executor.submit(job("dies"))
    lost = events_of(executor, 2)
    assert {event.id for event in lost if isinstance(event, Lost)} == {"first", "dies"}
    assert executor.num_free() == 1


def test_a_worker_whose_upload_hung_ends_after_the_trial_that_it_trains(executor):
    executor.submit(job("first"))
    events_of(executor, 1)
    executor.submit(job("spent"))
    ends = events_of(executor, 2)
    assert [event.id for event in ends] == ["first", "spent"]
    executor.submit(job("second"))
    assert events_of(executor, 1) == [Done("second")]
