"""Workers that are forked: what their fork server's end means to them, and where there is none."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.processes import FORK_SERVER, is_worker
from helpers.recipes import TINY
from helpers.trials import trainable_job

from audiocls.config import resolve
from audiocls.execution import devices
from audiocls.execution.devices import worker_environment
from audiocls.execution.executors.local import LocalExecutor
from audiocls.execution.fork_server import ForkServer
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Done, Epoch, Event, Lost
from audiocls.store import Cell
from audiocls.studies.options import LaunchOptions, with_fork_server


def open_executor(folder: Path, cache: Path) -> tuple[LocalExecutor, ForkServer]:
    server = ForkServer(worker_environment(os.environ, "cpu"))
    server.begin()
    log = folder / "workers.log"
    made = LocalExecutor(["cpu"], cache, log, release=server.close, fork_server=server)
    return made, server


def job(folder: Path, cache: Path, trial_id: str, **changes: Any) -> NativeJob:
    config = resolve([TINY, changes], "tiny")
    cell = Cell(trial_id, "baseline", 0, 1)
    made = trainable_job(config, folder / "study", cache, cell=cell)
    return replace(made, id=trial_id)


def next_of(executor: LocalExecutor, kind: type[Event]) -> Any:
    for _ in range(600):
        for event in executor.poll(0.1):
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__}")


def processes() -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Return the fork servers and the workers of this process."""
    found = psutil.Process().children(recursive=True)
    workers = [each for each in found if is_worker(each)]
    return [each for each in found if FORK_SERVER in each.cmdline()[:3]][:1], workers


@pytest.mark.slow
def test_a_worker_outlives_its_fork_server_and_the_next_one_is_started_by_itself(tmp_path, cache):
    executor, _ = open_executor(tmp_path, cache)
    try:
        executor.submit(job(tmp_path, cache, "a", **{"train.epochs": 100_000}))
        next_of(executor, Epoch)
        (server,), (worker,) = processes()
        assert worker.ppid() == server.pid
        server.kill()
        next_of(executor, Epoch)
        psutil.Process(worker.pid).kill()
        assert "of which it was forked" in next_of(executor, Lost).how
        executor.submit(job(tmp_path, cache, "b"))
        next_of(executor, Done)
        (worker,) = processes()[1]
        assert worker.ppid() == os.getpid()
    finally:
        executor.stop(10)
    assert processes() == ([], [])


@pytest.mark.slow
def test_a_fork_server_that_ends_before_it_forks_costs_no_trial(tmp_path, cache):
    executor, _ = open_executor(tmp_path, cache)
    try:
        executor.submit(job(tmp_path, cache, "a"))
        processes()[0][0].kill()
        events = [type(next_of(executor, Lost | Done))]
        if events == [Lost]:  # nothing was begun: the scheduler submits it again
            executor.submit(job(tmp_path, cache, "a"))
            next_of(executor, Done)
    finally:
        executor.stop(10)
    assert processes() == ([], [])


def test_a_stop_while_the_fork_server_imports_leaves_nothing(tmp_path, cache):
    executor, _ = open_executor(tmp_path, cache)
    executor.submit(job(tmp_path, cache, "a"))
    executor.stop(0)
    assert processes() == ([], [])


@pytest.mark.parametrize(
    "given", [{"executor": "inline"}, {"executor": "no such"}, {"devices": "cuda:0"}]
)
def test_nothing_is_forked_but_workers_on_the_cpu(given, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "available_devices", lambda is_native: ["cuda:0"])
    with with_fork_server(LaunchOptions(tmp_path, **given), "new") as options:
        assert options.fork_server is None


def test_only_a_study_that_is_new_is_waited_for_before_it_is_planned(tmp_path):
    (tmp_path / "known").mkdir()
    for name, num in (("known", 0), ("new", 1)):
        with with_fork_server(LaunchOptions(tmp_path, devices="cpu"), name):
            assert len(processes()[0]) == num
    assert processes() == ([], [])
