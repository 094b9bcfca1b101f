"""Asked to stop at any moment, a launch can be resumed; a worker that hangs is replaced."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers.processes import Home, wait_until, workers_of
from helpers.recipes import TINY
from helpers.trials import trainable_job

from audiocls.config import resolve
from audiocls.execution import worker
from audiocls.execution.executors import local
from audiocls.execution.executors.local import LocalExecutor, Patience, Silence
from audiocls.execution.messages import STOP, Epoch, Event, Lost
from audiocls.store import StudyFolder

SIGNALS = [signal.SIGTERM, signal.SIGHUP]
OUTPUTS = ("stdout", "stderr")
LAUNCH = ("sweep", "launch", "tiny.yaml", "--wandb", "disabled", "--workers", "1")


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal, by what the kernel says of it."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_launch_that_is_stopped_while_it_starts_can_be_resumed(home: Home, number: int) -> None:
    process = home.start(*LAUNCH)
    wait_until(lambda: catches(process.pid, number))
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    assert "run the same command again" in err


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("delay_s", [0.3, 1, 2, 3, 4, 5, 6, 8])
def test_a_launch_that_is_stopped_at_any_moment_can_be_resumed(
    home: Home, number: int, delay_s: float
) -> None:
    process = home.start(*LAUNCH, "--set", "train.epochs=100000", "--seeds", "0")
    wait_until(lambda: catches(process.pid, number))
    time.sleep(delay_s)
    workers = workers_of(process.pid)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert StudyFolder(home.path / "runs/tiny").path.name == "tiny"


@pytest.mark.slow
def test_a_terminal_that_is_closed_stops_a_launch_resumably(home: Home) -> None:
    """What is shown to nobody must not end it otherwise."""
    controller, terminal = os.openpty()
    words = ["sweep", "launch", "tiny.yaml", "--wandb", "disabled", "--workers", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "audiocls", *words, "--set", "train.epochs=100000"],
        cwd=home.path,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        preexec_fn=take_terminal,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        os.close(terminal)
        drain = threading.Thread(target=read_until_closed, args=(controller,), daemon=True)
        drain.start()
        home.wait_for(home.has_history)
        os.kill(process.pid, signal.SIGHUP)
        assert process.wait(30) == 75


@pytest.mark.parametrize("broken", [("stdout", "stderr"), ("stderr",), ("stdout",)])
def test_a_launch_whose_reader_has_ended_goes_on_and_ends_with_its_exit_code(
    home: Home, broken: tuple[str, ...]
) -> None:
    """As `audiocls sweep launch 2>&1 | tee log` does where Ctrl-C ends `tee` as well."""
    reading, writing = os.pipe()
    os.close(reading)
    streams = {name: writing if name in broken else subprocess.DEVNULL for name in OUTPUTS}
    words = [*LAUNCH, "--seeds", "0", "--arms", "dropout=0.5", "--executor", "inline"]
    with subprocess.Popen(
        [sys.executable, "-m", "audiocls", *words],
        cwd=home.path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        **streams,
    ) as process:
        os.close(writing)
        assert process.wait(60) == 0
    assert len(home.finished()) == 2


@pytest.mark.slow
def test_a_request_to_stop_is_met_although_nobody_reads_that(home: Home) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-m", "audiocls", *LAUNCH, "--set", "train.epochs=100000"],
        cwd=home.path,
        stdout=writing,
        stderr=writing,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        os.close(writing)
        home.wait_for(home.has_history)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 75


def take_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_until_closed(fd: int) -> None:
    try:
        while os.read(fd, 1 << 16):
            pass
    except OSError:
        return


INTERRUPTED = """
import os, signal, sys
from audiocls.__main__ import main

class Interrupting:
    def find_spec(self, name, path, target):
        if name == sys.argv[0]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGTERM)

del sys.argv[0]
sys.meta_path.insert(0, Interrupting())
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "typer",
        "audiocls.api.arguments",
        "yaml._yaml",
        "numpy._core.overrides",
        "pydantic._migration",
    ],
)
def test_a_launch_that_is_stopped_while_it_imports_can_be_resumed(home: Home, module: str) -> None:
    """Half a module makes whatever imports it next fail."""
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, *LAUNCH],
        cwd=home.path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.returncode == 75, process.stderr
    assert "run the same command again" in process.stderr


@pytest.mark.parametrize(("said", "is_orphan"), [("", True), (f"{STOP}\n", False)])
def test_a_worker_leaves_an_epoch_unfinished_only_when_its_scheduler_has_died(
    said, is_orphan, monkeypatch
) -> None:
    """One that was told to stop has the time that its scheduler gives it."""
    leaving: list[float] = []

    class Timer:
        def __init__(self, after_s: float, *_: object):
            leaving.append(after_s)

        def start(self) -> None: ...

    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    monkeypatch.setattr(worker.threading, "Timer", Timer)
    inbox = worker.Inbox()
    assert inbox.jobs.get() is None
    assert inbox.stop.is_set()
    wait_until(lambda: bool(leaving) == is_orphan)


def test_patience_is_learnt_from_the_epochs_of_the_trial_itself() -> None:
    patience, silence = Patience(least_s=5, first_epoch_s=100, factor=10), Silence()
    assert patience.limit_s(silence.longest_s) == 100
    for seconds in (2.0, 1.0):
        silence.present_s = seconds
        silence.end()
    assert patience.limit_s(silence.longest_s) == 20
    silence.present_s = 50.0
    silence.end(is_epoch=False)  # an epoch of the pre-training stage, which others may train
    assert patience.limit_s(silence.longest_s) == 20
    silence.longest_s = 0.1
    assert patience.limit_s(silence.longest_s) == 5


@pytest.mark.slow
@pytest.mark.alone
def test_a_worker_that_is_stopped_is_noticed_killed_and_replaced(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, study = resolve([TINY, {"train.epochs": 100_000}], "tiny"), StudyFolder(tmp_path / "s")
    job = trainable_job(config, study.path, cache, trial=study.trial("abc"))
    patience = Patience(least_s=2, first_epoch_s=200, factor=5)
    executor = LocalExecutor(["cpu"], cache, tmp_path / "log", patience)
    try:
        executor.submit(job)
        while job.trial.resume() is None:
            poll_until(executor, Epoch)
        stopped = executor._workers[0]._process.pid
        os.kill(stopped, signal.SIGSTOP)
        lost = poll_until(executor, Lost)
        assert isinstance(lost, Lost)
        assert "hung: silent for" in lost.how
        wait_until(lambda: not Path(f"/proc/{stopped}").exists())
        executor.submit(job)
        resumed = poll_until(executor, Epoch)
        assert isinstance(resumed, Epoch)
        assert resumed.epoch > 1
    finally:
        executor.stop(5.0)


def test_time_in_which_the_scheduler_itself_was_stopped_is_no_silence(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = LocalExecutor([], cache, tmp_path / "log", Patience(least_s=10, first_epoch_s=10))
    worker = type("Worker", (), {"trial_ids": ["a"], "silence": Silence()})()
    monkeypatch.setattr(executor, "_workers", [worker])
    clock = [100.0]
    monkeypatch.setattr(local.time, "monotonic", lambda: clock[0])
    executor._give_up_hung_workers()
    clock[0] += 3600.0
    executor._give_up_hung_workers()
    assert worker.silence.present_s <= 2 * local.MOST_PASSED_S


def poll_until(executor: LocalExecutor, kind: type[Event], limit_s: float = 120) -> Event:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for event in executor.poll(0.2):
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__} in {limit_s} s")
