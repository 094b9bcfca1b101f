"""Workers that are forked: what their fork server's end means to them, and where there is none."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.processes import FORK_SERVER, ROOT, is_worker
from helpers.recipes import TINY
from helpers.trials import trainable_job

import audiocls
from audiocls.config import resolve
from audiocls.errors import ConfigError, UsageError
from audiocls.execution import devices
from audiocls.execution.devices import worker_environment
from audiocls.execution.executors.local import LocalExecutor
from audiocls.execution.fork_server import ForkServer
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Done, Epoch, Event, Lost
from audiocls.store import Cell
from audiocls.studies import prepare
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


LAUNCH = """
import sys
from audiocls.execution import fork_server
def begin(self):
    loaded = {"audiocls.config", "audiocls.design", "audiocls.studies", "numpy"}
    print("begun with", sorted(loaded & set(sys.modules)))
fork_server.ForkServer.begin = begin
import audiocls.cli
audiocls.cli.app(["sweep", "launch", *sys.argv[1:]])
"""


def test_a_launch_begins_its_fork_server_before_it_imports_what_reads_and_plans(tmp_path):
    """What is asked for is read after that, and here it is at fault."""
    words = ["dropout", "--seeds", "x", "--devices", "cpu", "--runs", str(tmp_path)]
    program = [sys.executable, "-c", LAUNCH, *words]
    ran = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[0] == "begun with []"
    assert "--seeds: got 'x'" in ran.stderr
    assert ran.returncode == UsageError.exit_code


@pytest.fixture
def begun(monkeypatch) -> list[ForkServer]:
    """The fork servers that begin from now on, really."""
    servers: list[ForkServer] = []
    begin = ForkServer.begin

    def noted(self: ForkServer) -> None:
        servers.append(self)
        begin(self)

    monkeypatch.setattr(ForkServer, "begin", noted)
    return servers


def test_a_launch_that_is_refused_leaves_no_fork_server(tmp_path, begun):
    file = tmp_path / "faulty.yaml"
    file.write_text("name: faulty\nquestion: Which?\nrecipe: convnext1d-logmel\nfactors: 7\n")
    with pytest.raises(ConfigError, match="factors"):
        audiocls.launch(str(file), devices="cpu", runs=tmp_path / "runs", progress=False)
    assert len(begun) == 1
    assert processes() == ([], [])


@pytest.mark.parametrize("folder", ["file", "study"])
def test_a_fork_server_begins_early_unless_a_study_of_that_name_is_there(folder, tmp_path, begun):
    """The name is the file's until it is read."""
    file, runs = tmp_path / "file.yaml", tmp_path / "runs"
    file.write_text("name: study\nquestion: Which?\nrecipe: convnext1d-logmel\nfactors: 7\n")
    (runs / folder).mkdir(parents=True)
    with pytest.raises(ConfigError):
        audiocls.launch(str(file), devices="cpu", runs=runs, progress=False)
    assert len(begun) == (folder == "study")


PROGRAM = """
name: p
question: Which?
program: train.py
metric: {name: acc, goal: maximize}
stats: {margin: 0.01}
blocks: {seed: [0, 1]}
"""


@pytest.mark.parametrize("is_sound", [True, False])
def test_no_fork_server_begins_for_a_study_that_runs_a_program(
    is_sound, tmp_path, begun, monkeypatch
):
    """Neither before its file is read nor after that."""
    file = tmp_path / "p.yaml"
    file.write_text(PROGRAM + f"factors: {'{lr: [1, 2]}' if is_sound else 7}\n")

    def prepared(*_: Any) -> None:
        raise UsageError("read")

    monkeypatch.setattr(prepare, "prepare", prepared)
    with pytest.raises(
        UsageError if is_sound else ConfigError, match="read" if is_sound else "factors"
    ):
        audiocls.launch(str(file), devices="cpu", runs=tmp_path / "runs", progress=False)
    assert not begun


def test_a_sweep_over_a_recipe_has_a_command_and_its_workers_are_forked(tmp_path, begun):
    file = tmp_path / "sweep.yaml"
    command = "[audiocls, train, --recipe, convnext1d-logmel, '${args_no_hyphens}']"
    file.write_text(f"method: grid\ncommand: {command}\nparameters: 7\n")
    with pytest.raises(ConfigError):
        audiocls.launch(str(file), devices="cpu", runs=tmp_path / "runs", progress=False)
    assert len(begun) == 1


AFTER_THE_FORK = """
import sys
from pathlib import Path
from audiocls.execution.fork_server.__main__ import import_all
import_all()
before = set(sys.modules)
from audiocls.execution.job import NativeSpec, job_from_json
from audiocls.execution.provenance import code_digest
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.training.fit import Signal
known, job = code_digest.cache_info().currsize, job_from_json(sys.stdin.read(), NativeSpec)
train_trial(job, WorkerCache(Path(sys.argv[1])), lambda _: None, lambda: Signal.CONTINUE)
assert job.trial.record() is not None
print(known, *sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


@pytest.mark.slow
def test_a_forked_worker_imports_nothing_of_weight_for_its_trials(tmp_path, cache):
    """What it imported would be imported in each worker; nor does any digest the code anew."""
    words, given = [sys.executable, "-c", AFTER_THE_FORK, str(cache)], job(tmp_path, cache, "a")
    environment = worker_environment(os.environ, "cpu") | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        words, input=given.to_json(), env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    num_digests, *imported = ran.stdout.split()
    assert num_digests == "1"
    assert not {"torch", "numpy", "scipy", "sympy"} & set(imported)  # sympy: of torch's compiler


def test_a_name_too_long_for_a_folder_is_refused_as_ever(tmp_path):
    with pytest.raises(UsageError, match="no ablation or sweep is called"):
        audiocls.launch("x" * 300, devices="cpu", runs=tmp_path, progress=False)
