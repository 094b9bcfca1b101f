"""The command line, in processes of its own or in this one, and how to wait for and end them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from typer.testing import CliRunner

from audiocls.cli import app
from audiocls.store.lease import LEASE_S
from helpers.recipes import TINY_ABLATION_YAML, TINY_RECIPE_YAML

ROOT = Path(__file__).parents[2]
FORK_SERVER = "audiocls.execution.fork_server"
"""Word of the command of a fork server, and of the workers forked of it."""


@dataclass
class Ended:
    """A finished command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Home:
    """A folder with one question in it, and the command line run there."""

    path: Path
    is_in_process: bool = False
    """Whether commands run in this process, whose folder it must be, and launches inline."""

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "audiocls", *words],
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def run(self, *words: str, code: int = 0) -> Ended:
        """Run a command to its end; fail the test if its exit code is another."""
        ended = invoke(*words) if self.is_in_process else wait(self.start(*words))
        assert ended.code == code, f"exit {ended.code}\n{ended.out}\n{ended.err}"
        return ended

    def launch(self, *words: str, code: int = 0) -> Ended:
        executor = ("--executor", "inline") if self.is_in_process else ()
        words = ("tiny.yaml", "--wandb", "disabled", *executor, *words)
        return self.run("sweep", "launch", *words, code=code)

    def change(self, **replaced: str) -> None:
        """Replace whole lines of the question, by their key."""
        lines = (self.path / "tiny.yaml").read_text().splitlines()
        kept = [line for line in lines if line.partition(":")[0] not in replaced]
        new = [f"{key}: {value}" for key, value in replaced.items() if value]
        (self.path / "tiny.yaml").write_text("\n".join([*kept, *new]) + "\n")

    def trials(self) -> list[Path]:
        return sorted((self.path / "runs/tiny/trials").iterdir())

    def records(self) -> dict[str, float]:
        """Return trial id → when its record was written."""
        return {t.name: (t / "record.json").stat().st_mtime_ns for t in self.finished()}

    def finished(self) -> list[Path]:
        return [t for t in self.trials() if (t / "record.json").exists()]

    def wait_for(self, what: Callable[[], bool], limit_s: float = 60) -> None:
        wait_until(what, limit_s)

    def has_history(self) -> bool:
        found = (self.path / "runs/tiny/trials").glob("*/history.jsonl")
        return any(history.stat().st_size for history in found)


def tiny_home(path: Path) -> Home:
    """Return a new home whose question is `tiny`."""
    (path / "recipes").mkdir()
    (path / "recipes" / "tiny.yaml").write_text(TINY_RECIPE_YAML)
    (path / "tiny.yaml").write_text(TINY_ABLATION_YAML)
    return Home(path)


def invoke(*words: str) -> Ended:
    """Run a command in this process, which has loaded torch once."""
    result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


def wait(process: subprocess.Popen[str]) -> Ended:
    """Return what a command said by its end."""
    out, err = process.communicate(timeout=500)
    return Ended(process.returncode, out, err)


def wait_until(is_so: Callable[[], bool], limit_s: float = 20) -> None:
    """Wait until the condition holds; fail the test when it does not within `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def num_trained(err: str) -> int:
    """Return how many trials a launch says it has trained."""
    line = next(line for line in err.splitlines() if " trained, " in line)
    return int(line.split()[0])


def workers_of(scheduler: int) -> list[int]:
    """Return the process ids of a scheduler's workers, forked or started by themselves."""
    return [
        each.pid for each in psutil.Process(scheduler).children(recursive=True) if is_worker(each)
    ]


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is a worker: a fork server's child, or one that was started as such."""
    try:
        words, parent = process.cmdline(), process.parent()
        is_forked = FORK_SERVER in words and parent is not None and FORK_SERVER in parent.cmdline()
    except psutil.Error:
        return False
    return is_forked or "audiocls.execution.worker" in words


def kill(pid: int) -> None:
    """End a process at once, so that it can do nothing about it."""
    os.kill(pid, signal.SIGKILL)


WANDBS_OWN = """
import sys, wandb.wandb_agent
from wandb.cli.cli import cli
wandb.wandb_agent.Agent.POLL_INTERVAL = 0.2
cli(["agent", *sys.argv[1:]])
"""


def wandbs_own_agent(folder: Path, *words: str) -> Ended:
    """Run `wandb agent` in `folder`, which asks for runs more often than it would by itself."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    process = subprocess.Popen(
        [sys.executable, "-c", WANDBS_OWN, *words],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return wait(process)


HOLD = """
import sys, time
from pathlib import Path
from audiocls.store import TrialFolder, lease
lease.LEASE_S, lease.HEARTBEAT_S = float(sys.argv[2]), float(sys.argv[2]) / 4
with TrialFolder(Path(sys.argv[1])).lease() as got:
    print(got, flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(trial: Path, lease_s: float = LEASE_S) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a trial until it is killed."""
    command = [sys.executable, "-c", HOLD, str(trial), str(lease_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        try:
            yield process
        finally:
            process.kill()
