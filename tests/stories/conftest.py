"""The command line as people use it: real processes, a study that takes seconds."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

QUESTION = """
name: tiny
question: Does dropout help a tiny network?
recipe: tiny
factors: {model.dropout: [0.1, 0.5]}
blocks: {seed: [0, 1], fold: [1]}
"""

RECIPE = """
data: {name: synthetic, num_sources: 5, clips_per_source: 1, sample_rate: 8000, duration_s: 0.5}
features: {name: logmel, n_mels: 16, n_fft: 256, hop: 128}
model: {name: logmel_cnn, channels: [8, 8, 8, 8]}
optim: {name: adamw, lr: 3.0e-3}
schedule: {name: onecycle}
train: {epochs: 3, batch_size: 8}
"""


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
        """The command's end; fails the test if its exit code is another."""
        process = self.start(*words)
        out, err = process.communicate(timeout=500)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return Ended(process.returncode, out, err)

    def launch(self, *words: str, code: int = 0) -> Ended:
        return self.run("sweep", "launch", "tiny.yaml", "--wandb", "disabled", *words, code=code)

    def change(self, **replaced: str) -> None:
        """Replace whole lines of the question, by their key."""
        lines = (self.path / "tiny.yaml").read_text().splitlines()
        kept = [line for line in lines if line.partition(":")[0] not in replaced]
        new = [f"{key}: {value}" for key, value in replaced.items() if value]
        (self.path / "tiny.yaml").write_text("\n".join([*kept, *new]) + "\n")

    def trials(self) -> list[Path]:
        return sorted((self.path / "runs/tiny/trials").iterdir())

    def records(self) -> dict[str, float]:
        """Trial id → when its record was written."""
        return {t.name: (t / "record.json").stat().st_mtime_ns for t in self.finished()}

    def finished(self) -> list[Path]:
        return [t for t in self.trials() if (t / "record.json").exists()]

    def wait_for(self, what: Callable[[], bool], limit_s: float = 60) -> None:
        deadline = time.monotonic() + limit_s
        while not what():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def has_history(self) -> bool:
        found = (self.path / "runs/tiny/trials").glob("*/history.jsonl")
        return any(history.stat().st_size for history in found)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "tiny.yaml").write_text(RECIPE)
    (tmp_path / "tiny.yaml").write_text(QUESTION)
    return Home(tmp_path)


def workers_of(scheduler: int) -> list[int]:
    """The process ids of a scheduler's workers."""
    listing = subprocess.run(
        ["pgrep", "-P", str(scheduler), "-f", "audiocls.run.worker"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(line) for line in listing.stdout.split()]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
