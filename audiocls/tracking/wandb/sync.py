"""W&B's runs on disk, and their upload by the client's own `wandb sync`, in a process of its own.

What is uploaded is told by the marks that the client leaves, not by its exit code: that is 0 also
where nothing was uploaded. An online run has no such mark even when its upload is whole.
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
    """`run-ID.wandb`, all that the run has told."""

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
        """When, in an order of text."""
        match = FOLDER.fullmatch(self.path.name)
        assert match
        return match[2]

    @property
    def is_marked(self) -> bool:
        """Whether the client has noted that `wandb sync` uploaded it."""
        return self.log.with_suffix(".wandb.synced").exists()


def run_folders(folder: Path) -> list[RunFolder]:
    """Every run folder in `folder/wandb`, in order of opening."""
    found = [
        RunFolder(log)
        for log in folder.glob("wandb/*/run-*.wandb")
        if FOLDER.fullmatch(log.parent.name) and not log.parent.is_symlink()
    ]
    return sorted(found, key=lambda run: (run.opened, run.path.name))


def newest(folders: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """Run id → its last opening, which tells all that the earlier ones told."""
    # Of one second: a run that its server did not open was opened again offline.
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
    """Upload the runs and wait; answers the client's last complaint, if it had any.

    Ended early where `stop` is set. Raises `ServerUnavailable` after `stall_timeout_s` without an
    upload.
    """
    # The client looks for a project's settings, and keeps its debug logs, where it works.
    with tempfile.TemporaryFile() as told, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            _command(runs, entity, project),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(os.environ, folder),
            start_new_session=True,
        )
        try:
            _watch(process, runs, on_progress, stop, stall_timeout_s)
        finally:
            _end(process)
        return _complaint(told)


def _command(runs: Sequence[RunFolder], entity: str, project: str) -> list[str]:
    place = ["--entity", entity, "--project", project]
    paths = [str(run.path.absolute()) for run in runs]
    return [sys.executable, "-m", "wandb", "sync", "--include-online", *place, *paths]


def _environment(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """Without what would move the runs elsewhere, or forbid to upload at all."""
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
    """Until the client ends, or has to be ended."""
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
    """The client and the process that does its work, which is in the same group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue


def _complaint(told: IO[bytes]) -> str:
    """The last line that speaks of an error."""
    told.seek(0)
    lines = told.read().decode(errors="replace").splitlines()
    complaints = [line for line in lines if "ERROR" in line or "Error" in line]
    return (
        re.sub(r"\x1b\[[\d;]*m|^wandb: |ERROR ", "", complaints[-1]).strip() if complaints else ""
    )
