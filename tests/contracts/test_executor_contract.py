"""What every executor owes the scheduler, wherever and however it runs trials.

A new executor joins by a `Bench` in `BENCHES`, which opens it and makes the jobs that it runs.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest
from helpers.processes import is_worker
from helpers.ray_clusters import require_ray
from helpers.recipes import TINY
from helpers.trials import UNTRACKED, trainable_job

from audiocls.config import resolve
from audiocls.execution.devices import worker_environment
from audiocls.execution.executors import Executor
from audiocls.execution.executors.inline import InlineExecutor
from audiocls.execution.executors.local import LocalExecutor
from audiocls.execution.executors.subprocesses import SubprocessExecutor
from audiocls.execution.fork_server import ForkServer
from audiocls.execution.job import AnyJob, CommandJob, CommandSpec, NativeJob, NativeSpec, TrialJob
from audiocls.execution.messages import (
    Done,
    Epoch,
    Event,
    Extraction,
    Failed,
    Interrupted,
    Lost,
)
from audiocls.store import Cell, StudyFolder

LIMIT_S = 60.0

NATIVE: dict[str, dict[str, Any]] = {
    "short": {},
    "failing": {"budget.max_params": 1},
    "endless": {"train.epochs": 100_000},
}
PROGRAMS = {
    "short": "print('done')",
    "failing": "raise SystemExit(3)",
    "endless": "import time; time.sleep(600)",
}


class Bench(Protocol):
    """An open executor with room for one trial, and the jobs that it runs."""

    executor: Executor[Any]
    is_concurrent: bool
    """Whether the scheduler runs while a trial does."""

    def job(self, kind: str, folder: Path, trial_id: str = "a") -> AnyJob:
        """Return a job that is `short`, `failing` or `endless`, in a study in `folder`."""

    def request_stop(self) -> None:
        """Do what a launch does before it calls `stop`."""


class InlineBench:
    is_concurrent = False

    def __init__(self, folder: Path, cache: Path):
        self._cache, self._stop = cache, threading.Event()
        self.executor = InlineExecutor(cache, self._stop)

    def job(self, kind: str, folder: Path, trial_id: str = "a") -> NativeJob:
        return native_job(self._cache, kind, folder, trial_id)

    def request_stop(self) -> None:
        self._stop.set()


class LocalBench:
    is_concurrent = True

    def __init__(self, folder: Path, cache: Path, per_device: int = 1):
        self._cache, log = cache, folder / "workers.log"
        self.executor = LocalExecutor(["cpu"], cache, log, per_device=per_device)

    def job(self, kind: str, folder: Path, trial_id: str = "a") -> NativeJob:
        return native_job(self._cache, kind, folder, trial_id)

    def request_stop(self) -> None:
        """Nothing to do."""


class ForkedBench:
    is_concurrent = True

    def __init__(self, folder: Path, cache: Path):
        self._cache, server = cache, ForkServer(worker_environment(os.environ, "cpu"))
        self.executor = LocalExecutor(
            ["cpu"], cache, folder / "workers.log", release=server.close, fork_server=server
        )

    def job(self, kind: str, folder: Path, trial_id: str = "a") -> NativeJob:
        return native_job(self._cache, kind, folder, trial_id)

    def request_stop(self) -> None:
        """Nothing to do."""


class SubprocessBench:
    is_concurrent = True

    def __init__(self, folder: Path, cache: Path):
        self.executor = SubprocessExecutor(["cpu"], kill_delay_s=0.5)

    def job(self, kind: str, folder: Path, trial_id: str = "a") -> CommandJob:
        study, program = StudyFolder(folder / "study"), folder / f"{kind}.py"
        program.write_text(PROGRAMS[kind])
        return TrialJob(
            id=trial_id,
            label=trial_id,
            study=study.name,
            study_folder=study.path,
            trial=study.trial(trial_id),
            spec=CommandSpec(cwd=str(folder), program=program.name),
            tracking=UNTRACKED,
        )

    def request_stop(self) -> None:
        """Nothing to do."""


class RayBench:
    is_concurrent = True

    def __init__(self, folder: Path, cache: Path, per_device: int = 1):
        from audiocls.execution.cluster.connection import Demand
        from audiocls.execution.cluster.node import NodeSetup
        from audiocls.execution.executors.actors import RayExecutor

        require_ray(cache)
        self._cache = cache
        setup = NodeSetup(str(folder / "study"), per_device=per_device)
        self.executor = RayExecutor(Demand(1, cpus=1.0), setup, cache)
        poll_until(self.executor, lambda: self.executor.num_free() == per_device)

    def job(self, kind: str, folder: Path, trial_id: str = "a") -> NativeJob:
        return native_job(self._cache, kind, folder, trial_id)

    def request_stop(self) -> None:
        """Nothing to do."""


def native_job(cache: Path, kind: str, folder: Path, trial_id: str, **changes: Any) -> NativeJob:
    changes = {**NATIVE[kind], **changes}
    config, study = resolve([TINY, changes], "tiny"), StudyFolder(folder / "study")
    cell = Cell(trial_id, "baseline", config.seed, config.fold)
    return trainable_job(config, study.path, cache, cell=cell, trial=study.trial(trial_id))


ON_RAY = pytest.param(RayBench, marks=[pytest.mark.slow, pytest.mark.alone])
BENCHES: tuple[Any, ...] = (InlineBench, LocalBench, ForkedBench, SubprocessBench, ON_RAY)
CONCURRENT = BENCHES[1:]
PACKING = (LocalBench, ON_RAY)
"""Those whose workers train several trials at once."""


def name_of(bench: type) -> str:
    return bench.__name__.removesuffix("Bench").lower()


@pytest.fixture(scope="module", params=BENCHES, ids=name_of)
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> Iterator[Bench]:
    """An executor for many tests: a worker takes seconds to start."""
    bench: Bench = request.param(tmp_path_factory.mktemp("bench"), cache)
    yield bench
    bench.executor.stop(0.1)


def is_end(event: Event) -> bool:
    return isinstance(event, Done | Failed | Interrupted | Lost)


def poll_until(executor: Executor[Any], is_enough: Callable[[], bool]) -> list[Event]:
    """Return all events up to the poll after which `is_enough`."""
    events: list[Event] = []
    deadline = time.monotonic() + LIMIT_S
    while not is_enough():
        assert time.monotonic() < deadline, events
        events += executor.poll(0.1)
    return events


def poll_to_end(executor: Executor[Any]) -> list[Event]:
    """Return the events of the one submitted trial, the last of which is its end."""
    events: list[Event] = []
    deadline = time.monotonic() + LIMIT_S
    while not any(map(is_end, events)):
        assert time.monotonic() < deadline, events
        events += executor.poll(0.1)
    return events


def children() -> set[int]:
    """Return the process ids of all processes that this one has started, Ray's own left out."""
    everybody = psutil.Process().children(recursive=True)
    return {child.pid for child in everybody if not is_of_ray(child)}


def is_of_ray(process: psutil.Process) -> bool:
    """Whether a process is one of a Ray cluster, which ends its actors in its own time."""
    try:
        words = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return True
    return "ray::" in words or "/site-packages/ray/" in words


def is_running(job: AnyJob) -> bool:
    """Whether an endless job has begun: a native one has an epoch, a program has its process."""
    is_native = isinstance(job.spec, NativeSpec)
    return bool(job.trial.history()) if is_native else job.trial.log.exists()


class TestExecutor:
    """Tests that leave the executor open."""

    def test_a_trial_takes_the_slot_until_its_one_end_is_polled(self, bench, tmp_path):
        executor, job = bench.executor, bench.job("short", tmp_path)
        assert executor.num_free() == 1
        executor.submit(job)
        assert executor.num_free() == 0
        events = poll_to_end(executor)
        assert events[-1] == Done(job.id)
        assert all(isinstance(event, Epoch | Extraction) for event in events[:-1])
        assert job.trial.record() is not None
        assert executor.num_free() == 1
        assert list(executor.poll(0.1)) == []

    def test_poll_returns_in_time_where_nothing_happens(self, bench):
        started = time.monotonic()
        assert list(bench.executor.poll(0.2)) == []
        assert time.monotonic() - started < 5

    def test_a_failure_is_recorded_and_the_next_trial_runs(self, bench, tmp_path):
        failing, short = bench.job("failing", tmp_path, "a"), bench.job("short", tmp_path, "b")
        bench.executor.submit(failing)
        event = poll_to_end(bench.executor)[-1]
        assert isinstance(event, Failed)
        assert failing.trial.failure().message == event.message
        assert failing.trial.record() is None
        bench.executor.submit(short)
        assert poll_to_end(bench.executor)[-1] == Done(short.id)

    def test_a_finished_trial_is_reported_and_does_not_run_again(self, bench, tmp_path):
        job = bench.job("short", tmp_path)
        for _ in range(2):
            bench.executor.submit(job)
            assert poll_to_end(bench.executor)[-1] == Done(job.id)
        assert job.trial.record().attempt == 1

    def test_a_trial_that_another_launch_has_taken_over_is_left_to_it(self, bench, tmp_path):
        job = bench.job("short", tmp_path)
        lost = replace(job, trial=replace(job.trial, token="of a lease that ran out"))
        with job.trial.lease():
            bench.executor.submit(lost)
            event = poll_to_end(bench.executor)[-1]
        assert isinstance(event, Interrupted)
        assert event.is_taken
        assert job.trial.state() == "pending"
        assert job.trial.attempts.last().number == 0

    def test_a_trial_is_finished_early_once_a_file_asks_for_it(self, bench, tmp_path):
        job = bench.job("endless", tmp_path)
        job.trial.path.mkdir(parents=True, exist_ok=True)
        job.trial.stop_request.touch()
        bench.executor.submit(job)
        assert poll_to_end(bench.executor)[-1] == Done(job.id)
        assert job.trial.record().early_stopped
        assert not job.trial.stop_request.exists()

    def test_ending_a_trial_that_is_not_here_changes_nothing(self, bench, tmp_path):
        bench.executor.submit(job := bench.job("short", tmp_path))
        bench.executor.end("nobody")
        assert poll_to_end(bench.executor)[-1] == Done(job.id)
        assert not job.trial.record().early_stopped

    @pytest.mark.parametrize("bench", CONCURRENT, ids=name_of, indirect=True)
    def test_an_ended_trial_is_done_early_with_what_it_has(self, bench, tmp_path):
        """`inline` has no such case: nobody can act while it trains inside `poll`."""
        executor, job = bench.executor, bench.job("endless", tmp_path)
        executor.submit(job)
        poll_until(executor, lambda: is_running(job))
        executor.end(job.id)
        assert poll_to_end(executor)[-1] == Done(job.id)
        assert job.trial.record().early_stopped
        assert executor.num_free() == 1


@pytest.mark.parametrize("make", CONCURRENT, ids=name_of)
def test_a_trial_whose_process_dies_is_lost_and_nothing_outlives_the_executor(
    make, tmp_path, cache
):
    before = children()
    bench = make(tmp_path, cache)
    executor, lost = bench.executor, bench.job("endless", tmp_path)
    executor.submit(lost)
    poll_until(executor, lambda: is_running(lost))
    for pid in children() - before:
        if "endless.py" in psutil.Process(pid).cmdline() or is_worker(psutil.Process(pid)):
            os.kill(pid, signal.SIGKILL)
    event = poll_to_end(executor)[-1]
    assert isinstance(event, Lost)
    assert "SIGKILL" in event.how
    assert lost.trial.state() == "pending"
    executor.submit(stopped := bench.job("endless", tmp_path, "b"))
    poll_until(executor, lambda: is_running(stopped))
    assert Interrupted(stopped.id) in executor.stop(grace_s=10)
    assert stopped.trial.state() == "pending"
    assert children() <= before


@pytest.mark.parametrize("make", BENCHES, ids=name_of)
def test_a_launch_that_is_stopped_at_once_records_nothing(make, tmp_path, cache):
    bench = make(tmp_path, cache)
    bench.executor.submit(job := bench.job("endless", tmp_path))
    bench.request_stop()
    events = [*bench.executor.poll(0.1), *bench.executor.stop(grace_s=10)]
    assert job.trial.record() is None
    assert job.trial.state() == "pending"
    assert not [event for event in events if isinstance(event, Failed | Done | Lost)]


@pytest.mark.parametrize("make", PACKING, ids=name_of)
def test_a_worker_takes_jobs_that_come_together_and_each_has_an_end_of_its_own(
    make, tmp_path, cache
):
    executor = make(tmp_path, cache, per_device=3).executor
    endless = [
        native_job(cache, "endless", tmp_path, name, seed=seed) for seed, name in enumerate("abc")
    ]
    for number, job in enumerate(endless):
        assert executor.num_free() == 3 - number
        executor.submit(job)
    poll_until(executor, lambda: all(map(is_running, endless)))
    assert executor.num_free() == 0
    executor.end("b")
    a, b = (job.trial for job in endless[:2])
    assert [event for event in poll_to_end(executor) if is_end(event)] == [Done("b")]
    poll_until(executor, lambda: len(a.history()) > len(b.history()) + 1)
    assert b.record().cost.pack == 3
    assert executor.num_free() == 0, "what is to be trained at once begins at once"
    ends = {event.id: event for event in executor.stop(grace_s=20) if is_end(event)}
    assert ends == {"a": Interrupted("a"), "c": Interrupted("c")}
    assert a.resume() is not None
