"""Anybody's program is a trial: started as W&B's agent would, read back, ended when due."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.wandb_runs import log_run, read_run

from audiocls.execution.executors.subprocesses import SubprocessExecutor
from audiocls.execution.external.command import path_with_python, program_environment
from audiocls.execution.gpus import Gpu
from audiocls.execution.job import CommandJob, CommandSpec, TrackingConfig, TrialJob
from audiocls.execution.messages import Done, Epoch, Event, Failed, Interrupted, Lost
from audiocls.store import StudyFolder
from audiocls.tracking import run_id_of
from audiocls.tracking.sweep_server import offline_sweep_id

LIMIT_S = 30.0
UNCHANGED = """
    import wandb
    run = wandb.init(project="theirs", id="theirs", config={"lr": 7, "kept": 1})
    for epoch in range(3):
        run.log({"loss": run.config.lr / (epoch + 1), "seen": run.config.optim["width"]})
"""


@pytest.fixture(autouse=True)
def _path(monkeypatch) -> None:
    """`python` is the one that runs the tests, as in an activated environment."""
    here = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([here, os.environ["PATH"]]))


@pytest.fixture
def make(tmp_path) -> Callable[..., CommandJob]:
    """A trial that is the given Python program; its id is its program's name."""

    def command(code: str, /, **changes: Any) -> CommandJob:
        name = changes.pop("id", "aaaa00000000")
        script = tmp_path / "code" / f"{name}.py"
        script.parent.mkdir(exist_ok=True)
        script.write_text(textwrap.dedent(code))
        folder = StudyFolder(tmp_path / "study")
        given = {
            "id": name,
            "label": name,
            "study": "mine",
            "study_folder": folder.path,
            "trial": folder.trial(name),
        }
        tracking = changes.pop("tracking", TrackingConfig("offline", "ours"))
        given["parameters"] = changes.pop("parameters", {"lr": 0.5})
        spec = {"cwd": str(script.parent), "program": script.name, "metric": "loss", **changes}
        return TrialJob(**given, spec=CommandSpec(**spec), tracking=tracking)

    return command


@pytest.fixture
def logs(make, tmp_path) -> Callable[..., CommandJob]:
    """A trial whose program leaves the very files that W&B's client wrote for the same calls."""

    def command(rows: list[dict[str, Any]], /, **changes: Any) -> CommandJob:
        name, written = changes.get("id", "aaaa00000000"), tmp_path / "written"
        summary = changes.pop("summary", None)
        run_id = run_id_of(name, "mine", 1)
        log_run(run_id, folder=written, rows=rows, summary=summary)
        [source] = written.glob(f"wandb/*-{run_id}")
        copied = "import os, shutil; there = os.environ['WANDB_DIR'] + '/wandb/'"
        then = changes.pop("then", "")
        code = f"shutil.copytree({str(source)!r}, there + {source.name!r})"
        return make(f"{copied}; {code}\n{then}", **changes)

    return command


@contextmanager
def commands(slots: list[str] | None = None, **options: Any) -> Iterator[SubprocessExecutor]:
    executor = SubprocessExecutor(slots or ["cpu"], **options)
    try:
        yield executor
    finally:
        executor.stop(grace_s=0.1)


def until(executor: SubprocessExecutor, is_enough: Callable[[Event], bool]) -> list[Event]:
    """Return all events up to the one that is waited for."""
    events: list[Event] = []
    deadline = time.monotonic() + LIMIT_S
    while not any(map(is_enough, events)):
        assert time.monotonic() < deadline, events
        events += executor.poll(0.2)
    return events


def is_end(event: Event) -> bool:
    return not isinstance(event, Epoch)


def run(command: CommandJob, **options: Any) -> Event:
    """How one trial ends."""
    with commands(**options) as executor:
        executor.submit(command)
        return until(executor, is_end)[-1]


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_script_written_for_wandbs_sweeps_runs_unchanged_and_offline(make):
    program = UNCHANGED.replace("import wandb", "import wandb, sys; print(sys.argv[1:])")
    parameters = {"lr": 0.25, "optim": {"width": 8}}
    command = make(program, parameters=parameters)
    assert run(command) == Done(command.id)
    record = command.trial.record()
    assert record.metrics == {"loss": 0.25 / 3, "seen": 8}
    assert not record.early_stopped
    assert 0 < record.cost.process_s < 60
    assert record.cost.wall_s > 0.1
    assert record.cost.peak_memory_mib > 10
    assert record.cost.macs is None
    assert [row["loss"] for row in command.trial.history()] == [0.25, 0.125, 0.25 / 3]
    assert command.trial.state() == "done"
    assert command.trial.config() == parameters
    assert "['--lr=0.25', \"--optim={'width': 8}\"]" in command.trial.log.read_text()
    logged = read_run(command.study_folder)
    assert (logged.id, logged.project, logged.group) == (
        run_id_of(command.id, "mine", 1),
        "ours",
        "mine",
    )
    assert (logged.config["lr"], logged.config["kept"]) == (0.25, 1)
    assert logged.sweep_id == ""


def test_a_run_that_the_program_keeps_elsewhere_is_read_while_it_grows_and_linked(make, tmp_path):
    program = """
        import time, wandb
        with wandb.init(dir="my runs") as run:
            for epoch in range(200):
                run.log({"loss": 1 / (epoch + 1)})
                time.sleep(0.05)
    """
    (tmp_path / "code" / "my runs").mkdir(parents=True)
    command = make(program)
    with commands() as executor:
        executor.submit(command)
        until(executor, lambda event: isinstance(event, Epoch))
        executor.end(command.id)
        assert until(executor, is_end)[-1] == Done(command.id)
    [link] = (command.study_folder / "wandb").iterdir()
    assert link.resolve().parent == tmp_path / "code" / "my runs" / "wandb"


def test_a_script_that_reads_its_command_line_gets_the_parameters(make):
    program = """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float)
        parser.add_argument("--name", type=str)
        given = parser.parse_args()
        print(given.lr, given.name)
    """
    command = make(program, parameters={"lr": 1e-5, "name": 'it\'s "two" words'}, metric="")
    assert run(command) == Done(command.id)
    assert command.trial.log.read_text() == '1e-05 it\'s "two" words\n'


def test_a_script_of_hydras_grammar_and_one_that_reads_json_get_the_parameters(make, monkeypatch):
    program = """
        import json, os, sys
        overrides = dict(item.lstrip("+").split("=") for item in sys.argv[1:3])
        from_file = json.load(open(sys.argv[3]))
        assert json.loads(sys.argv[4]) == from_file
        assert sys.argv[5] == "of-" + os.environ["PLACE"]
        print(float(overrides["optim.lr"]) + from_file["seed"])
    """
    macros = ("${args_override_hydra}", "${args_json_file}", "${args_json}", "of-${envvar:PLACE}")
    items = ("${env}", "PLACE=here", "${interpreter}", "${program}", *macros)
    command = make(program, parameters={"optim.lr": 0.5, "seed": 2}, command=items, metric="")
    monkeypatch.setenv("PLACE", "here")
    assert run(command) == Done(command.id)
    assert command.trial.log.read_text() == "2.5\n"


def test_a_metric_may_be_nested_and_may_be_set_in_the_summary_alone(logs):
    logged = {"summary": {"best": {"acc": 0.75}}}
    row = {"val": {"acc": 0.5}, "name": "text", "on": True}
    nested = logs([row], metric="val.acc", id="aaaa00000000", **logged)
    summary = logs([row], metric="best.acc", id="bbbb00000000", **logged)
    with commands(["cpu", "cpu"]) as executor:
        executor.submit(nested)
        executor.submit(summary)
        assert executor.num_free() == 0
        ends = list(filter(is_end, until(executor, lambda _: executor.num_free() == 2)))
    assert {end.id for end in ends if isinstance(end, Done)} == {nested.id, summary.id}
    assert nested.trial.record().metrics == {"val.acc": 0.5, "best.acc": 0.75}


def test_what_a_program_logs_is_told_while_it_runs_and_the_stop_rule_may_end_it(make):
    program = """
        import time, wandb
        run = wandb.init()
        for i in range(1000):
            run.log({"loss": 1 / (i + 1)})
            run.log({"other": i})
            time.sleep(0.05)
    """
    command = make(program)
    with commands() as executor:
        executor.submit(command)
        *_, epoch = until(executor, lambda event: isinstance(event, Epoch))
        rows = [row for row in command.trial.history() if "loss" in row]
        assert 0 < len(rows) == epoch.epoch < 1000
        assert (epoch.metric, epoch.value) == ("loss", 1 / len(rows))
        executor.end(command.id)
        assert until(executor, is_end)[-1] == Done(command.id)
    record = command.trial.record()
    assert record.early_stopped
    losses = [row["loss"] for row in command.trial.history() if "loss" in row]
    assert losses == [1 / (i + 1) for i in range(len(losses))]
    assert record.metrics["loss"] == losses[-1]


def test_a_program_that_crashes_fails_with_its_last_words(make):
    command = make("raise ValueError('no such thing as lr')")
    event = run(command)
    assert isinstance(event, Failed)
    assert event.cause == "error"
    assert "status 1: ValueError: no such thing as lr" in event.message
    failure = command.trial.failure()
    assert "Traceback" in failure.traceback
    assert failure.attempt == 1
    assert command.trial.state() == "failed"


def test_an_attempt_begins_anew_with_a_run_of_its_own(make):
    crash = make("import wandb; wandb.init().log({'loss': 1}); raise SystemExit(3)")
    assert "status 3" in run(crash).message
    assert [row["loss"] for row in crash.trial.history()] == [1]
    crash.trial.reset_failure()
    again = make("import wandb; wandb.init().log({'loss': 2})")
    assert run(again) == Done(again.id)
    assert [row["loss"] for row in again.trial.history()] == [2]
    assert again.trial.record().attempt == 2
    names = {file.stem for file in again.study_folder.rglob("*.wandb")}
    assert names == {f"run-{run_id_of(again.id, again.study, n)}" for n in (1, 2)}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (None, "call audiocls.report_result(loss=VALUE) in it; or log with W&B"),
        ([], "It logged no numbers at all"),
        ([{"los": 1, "b": 2}], "Did you mean 'los'? It logged b, l"),
        ([{"loss": float("nan")}], "loss ended as nan"),
    ],
)
def test_a_program_that_never_logs_its_metric_fails_and_hears_what_it_logged(
    make, logs, rows, said
):
    event = run(make("print('hello')") if rows is None else logs(rows))
    assert isinstance(event, Failed)
    assert said in event.message
    assert event.cause == ("nan" if "nan" in said else "error")


def test_a_program_without_wandb_will_do_where_no_metric_is_sought(make):
    command = make("print('hello')", metric="")
    assert run(command) == Done(command.id)
    assert command.trial.record().metrics == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": ("./no-such-program",)}, "cannot be started"),
        ({"cwd": "/no/such/folder"}, "cannot be started"),
        ({"command": ("python", "a\0b")}, "cannot be started"),
        ({"command": ("python", "a\ud800b")}, "cannot be started"),
        ({"command": ("python", "x" * 10_000_000)}, "cannot be started"),
        ({"program": "no-such-script.py"}, "status 2: "),
    ],
)
def test_a_program_that_is_not_there_fails_and_frees_its_slot(make, changes, said):
    with commands() as executor:
        executor.submit(make("", **changes))
        (event,) = until(executor, is_end)
        assert executor.num_free() == 1
    assert isinstance(event, Failed)
    assert said in event.message


STUBBORN = """
    import os, pathlib, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path("pids.tmp").write_text(f"{os.getpid()} {child.pid}")
    os.replace("pids.tmp", "pids")
    time.sleep(600)
"""


def pids_of(command: CommandJob) -> list[int]:
    """The processes of a stubborn program, once it has said that it is one."""
    file = Path(command.spec.cwd, "pids")
    wait_for(file.exists)
    return [int(word) for word in file.read_text().split()]


def test_a_program_that_hangs_is_ended_at_its_timeout(make):
    event = run(make("import time; time.sleep(600)", timeout_s=0.5))
    assert isinstance(event, Failed)
    assert event.cause == "timeout"
    assert "after 0.5 s" in event.message


def test_a_program_that_ignores_the_stop_rule_is_killed_with_its_children(make):
    command = make(STUBBORN, metric="")
    with commands(kill_delay_s=0.2) as executor:
        executor.submit(command)
        pids = pids_of(command)
        executor.end(command.id)
        assert until(executor, is_end) == [Done(command.id)]
    assert command.trial.record().early_stopped
    wait_for(lambda: not any(map(is_alive, pids)))


def test_stopping_ends_within_its_grace_what_ignores_it_and_can_be_resumed(make):
    stubborn, obliging = make(STUBBORN), make("import time; time.sleep(600)", id="bbbb00000000")
    with commands(["cpu", "cpu"]) as executor:
        executor.submit(stubborn)
        executor.submit(obliging)
        pids = pids_of(stubborn)
        started = time.monotonic()
        events = executor.stop(grace_s=0.5)
        assert 0.5 <= time.monotonic() - started < 5
    assert sorted(event.id for event in events) == [stubborn.id, obliging.id]
    assert all(isinstance(event, Interrupted) for event in events)
    assert stubborn.trial.state() == obliging.trial.state() == "pending"
    wait_for(lambda: not any(map(is_alive, pids)))


def test_what_a_program_leaves_running_is_ended_with_it(make):
    program = STUBBORN.replace("time.sleep(600)\n", "\n")
    command = make(program, metric="")
    assert run(command) == Done(command.id)
    wait_for(lambda: not any(map(is_alive, pids_of(command))))


def test_a_program_killed_by_somebody_else_is_lost_and_not_failed(make):
    command = make("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    event = run(command)
    assert event == Lost(command.id, "program killed by SIGKILL", is_resumable=False)
    assert command.trial.failure() is None


def test_a_program_whose_trial_another_launch_has_taken_over_is_ended(make):
    command = make("import time; time.sleep(60)")
    lease = command.trial.claim()
    assert lease.take()
    with commands() as executor:
        executor.submit(replace(command, trial=command.trial.under(lease)))
        lease.give_back()
        with command.trial.lease() as is_theirs:
            assert is_theirs
            (event,) = until(executor, is_end)
    assert event == Interrupted(command.id, is_taken=True)
    assert (command.trial.record(), command.trial.failure()) == (None, None)


def test_a_finished_trial_is_not_run_again(make):
    command = make("print('hello')", metric="")
    assert [run(command), run(command)] == [Done(command.id)] * 2
    assert command.trial.log.read_text() == "hello\n"


def test_programs_of_a_launch_that_is_killed_do_not_outlive_it(make, tmp_path):
    command = make(STUBBORN)
    launch = tmp_path / "launch.py"
    launch.write_text(
        "import sys\n"
        "from audiocls.execution.job import CommandSpec, job_from_json\n"
        "from audiocls.execution.executors.subprocesses import SubprocessExecutor\n"
        "executor = SubprocessExecutor(['cpu'])\n"
        "executor.submit(job_from_json(sys.argv[1], CommandSpec))\n"
        "while True: executor.poll(1)\n"
    )
    process = subprocess.Popen([sys.executable, launch, command.to_json()])
    pids = pids_of(command)
    process.kill()
    process.wait()
    assert command.trial.state() == "pending"
    wait_for(lambda: not any(map(is_alive, pids)))


def test_each_slot_sees_its_own_device_and_the_users_own_settings_win(make, monkeypatch):
    eight = [Gpu(str(number), "NVIDIA H200", f"GPU-{number}") for number in range(8)]
    monkeypatch.setattr("audiocls.execution.gpus.installed_gpus", lambda: eight)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("WANDB_RUN_GROUP", "theirs")
    monkeypatch.setenv("WANDB_SWEEP_ID", "of another agent")
    command = make("", tracking=TrackingConfig("offline", "ours", "us"))
    seen = program_environment(command, os.environ, "cuda:1", "r1")
    assert seen["CUDA_VISIBLE_DEVICES"] == "7"
    assert seen["OMP_NUM_THREADS"] == "3"
    assert (seen["WANDB_RUN_GROUP"], seen["WANDB_ENTITY"]) == ("theirs", "us")
    assert (seen["WANDB_RUN_ID"], seen["WANDB_PROJECT"]) == ("r1", "ours")
    assert seen["WANDB_SWEEP_ID"] == offline_sweep_id("mine")
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert program_environment(command, os.environ, "cpu", "r1")["OMP_NUM_THREADS"] == "1"
    assert program_environment(command, os.environ, "cpu", "r1")["CUDA_VISIBLE_DEVICES"] == ""


def test_a_run_of_a_servers_sweep_belongs_to_it(make):
    command = make("", tracking=TrackingConfig("online", "ours", sweep_id="s1"))
    seen = program_environment(command, {}, "cpu", "r1")
    assert (seen["WANDB_SWEEP_ID"], seen["WANDB_MODE"]) == ("s1", "online")
    assert "WANDB_LAUNCH" not in seen


def test_runs_that_nobody_is_to_be_told_of_are_kept_apart(make):
    untracked, parameters = TrackingConfig("disabled", "ours"), {"lr": 1, "optim": {"width": 2}}
    command = make(UNCHANGED, tracking=untracked, parameters=parameters)
    assert run(command) == Done(command.id)
    assert not (command.study_folder / "wandb").exists()


def test_programs_may_use_every_core_that_the_launch_may(make):
    """Pinned to one, the only trials of two launches would share the first core."""
    command = make("import os; print(len(os.sched_getaffinity(0)))", metric="")
    assert run(command) == Done(command.id)
    assert command.trial.log.read_text() == f"{len(os.sched_getaffinity(0))}\n"


def test_python_is_an_activated_environments_or_else_the_one_of_this_command(tmp_path):
    own, ours = tmp_path / "python", str(Path(sys.executable).parent)
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    path = str(tmp_path)
    assert path_with_python({"PATH": path, "VIRTUAL_ENV": "/env"}) == path
    assert path_with_python({"PATH": path}) == os.pathsep.join([ours, path])
    assert path_with_python({"PATH": "/none", "CONDA_PREFIX": "/env"}).split(os.pathsep)[0] == ours


def test_a_full_disk_leaves_the_trial_pending_and_names_the_folder(logs, monkeypatch):
    from audiocls.store import TrialFolder

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    command = logs([{"loss": 1}], then="import time; time.sleep(600)")
    monkeypatch.setattr(TrialFolder, "append_history", refuse)
    event = run(command)
    assert isinstance(event, Interrupted)
    assert f"No space left on device: {command.study_folder}" in event.fault
    assert command.trial.state() == "pending"


def test_a_program_that_ends_on_a_full_disk_has_not_failed(logs):
    command = logs([{"loss": 1}], then="raise OSError(28, 'No space left on device')")
    event = run(command)
    assert isinstance(event, Interrupted)
    assert "No space left on device" in event.fault
    assert str(command.trial.log) in event.fault
    assert command.trial.state() == "pending"


def test_signals_reach_only_groups_that_exist():
    from audiocls.execution.external.reaper import end, signal_group

    ended = subprocess.Popen([sys.executable, "-c", ""], process_group=0)
    ended.wait()
    program = "import time; time.sleep(60)"
    running = subprocess.Popen([sys.executable, "-c", program], process_group=0)
    signal_group(ended.pid, signal.SIGTERM)
    end([ended.pid, running.pid], grace_s=0.5)
    assert running.wait(timeout=5) == -signal.SIGTERM
