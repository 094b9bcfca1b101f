"""W&B's runs on disk, and their upload by the client's own `wandb sync`, in a process of its own.

The client marks each run that it has uploaded. Its exit code is of no use, being 0 also where
nothing was uploaded. An online run has no such mark even when its upload is complete.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO

from audiocls.tracking.sweep_server import ServerUnavailable

FOLDER = re.compile(r"(offline-)?run-(\d{8}_\d{6})-.+")
STALL_TIMEOUT_S = 120.0
"""The longest time without a run being uploaded; the call is ended then."""
END_TIMEOUT_S = 5.0
"""From the request to end until the kill."""
POLL_S = 0.1


@dataclass(frozen=True)
class RunFolder:
    """One opening of a run: a resumed run has several."""

    log: Path
    """`run-ID.wandb`, all that the run has logged."""

    @property
    def path(self) -> Path:
        return self.log.parent

    @property
    def run_id(self) -> str:
        return self.log.stem.removeprefix("run-")

    @property
    def is_online(self) -> bool:
        return not self.path.name.startswith("offline-")

    @property
    def opened(self) -> str:
        """Return the time of opening as text that sorts by time."""
        match = FOLDER.fullmatch(self.path.name)
        assert match
        return match[2]

    @property
    def is_marked(self) -> bool:
        """Whether the client has noted that `wandb sync` uploaded it."""
        return self.log.with_suffix(".wandb.synced").exists()


def run_folders(folder: Path) -> list[RunFolder]:
    """Return every run folder in `folder/wandb`, in order of opening.

    Links are among them: to runs that a program keeps elsewhere, such as those of its folds.
    """
    folders = [
        RunFolder(log)
        for log in folder.glob("wandb/*/run-*.wandb")
        if FOLDER.fullmatch(log.parent.name)
    ]
    return sorted(folders, key=lambda run: (run.opened, run.path.name))


def newest(folders: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """Return each run's last opening by run id; it holds all that the earlier ones logged."""
    # Two openings may have the same second: a run that its server refused is reopened offline.
    order = sorted(folders, key=lambda run: (run.opened, not run.is_online, run.path.name))
    return {run.run_id: run for run in order}


def upload(
    runs: Sequence[RunFolder],
    entity: str,
    project: str,
    on_progress: Callable[[], None],
    stop: Event,
    stall_timeout_s: float = STALL_TIMEOUT_S,
) -> str:
    """Upload the runs and wait; return the client's last error message, if there is one.

    Ended early where `stop` is set. Raises `ServerUnavailable` after `stall_timeout_s` without an
    upload.
    """
    # The client looks for a project's settings, and keeps its debug logs, where it works.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            _command(runs, entity, project),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(os.environ, folder),
            start_new_session=True,
        )
        try:
            _watch(process, runs, on_progress, stop, stall_timeout_s)
        finally:
            _end(process)
        return _last_error(output)


def _command(runs: Sequence[RunFolder], entity: str, project: str) -> list[str]:
    place = ["--entity", entity, "--project", project]
    paths = [str(run.path.absolute()) for run in runs]
    return [sys.executable, "-m", "wandb", "sync", "--include-online", *place, *paths]


def _environment(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return the environment without what would move the runs elsewhere or forbid uploads."""
    moving = ("WANDB_MODE", "WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_RESUME", "WANDB_RUN_GROUP")
    kept = {name: value for name, value in environment.items() if name not in moving}
    return {**kept, "WANDB_DIR": folder}


def _watch(
    process: subprocess.Popen[bytes],
    runs: Sequence[RunFolder],
    on_progress: Callable[[], None],
    stop: Event,
    stall_timeout_s: float,
) -> None:
    """Wait until the client ends, `stop` is set, or no run was uploaded for too long."""
    num_before, since = 0, time.monotonic()
    while process.poll() is None and not stop.is_set():
        num = sum(run.is_marked for run in runs)
        if num != num_before:
            num_before, since = num, time.monotonic()
            on_progress()
        if time.monotonic() - since > stall_timeout_s:
            raise ServerUnavailable(f"no run was uploaded for {stall_timeout_s:g} s")
        time.sleep(POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the client and the process that works for it, which is in the same group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue


def _last_error(output: IO[bytes]) -> str:
    """Return the last line about an error, without colours and prefix."""
    output.seek(0)
    lines = output.read().decode(errors="replace").splitlines()
    errors = [line for line in lines if "ERROR" in line or "Error" in line]
    return re.sub(r"\x1b\[[\d;]*m|^wandb: |ERROR ", "", errors[-1]).strip() if errors else ""
