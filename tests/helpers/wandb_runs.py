"""Runs of the real W&B client: logged in this process, and read back from their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb

from audiocls.tracking.wandb.log import LoggedRun, WandbLog
from audiocls.tracking.wandb.run import lean_settings

ROWS = ({"epoch": 1, "val/accuracy": 0.1}, {"epoch": 2, "val/accuracy": 0.2})


def log_run(
    run_id: str | None = None,
    *,
    folder: Path,
    project: str = "audiocls",
    mode: str = "offline",
    config: Mapping[str, Any] | None = None,
    rows: Sequence[Mapping[str, Any]] = ROWS,
    summary: Mapping[str, Any] | None = None,
    code: int = 0,
    group: str = "tiny",
    **settings: Any,
) -> None:
    """Log one run from its opening to its end, without what the client does besides."""
    folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=project,
        id=run_id,
        group=group,
        config=dict(config or {}),
        dir=str(folder),
        mode=mode,
        reinit="finish_previous",
        settings=lean_settings(x_disable_stats=True, **settings),
    )
    for row in rows:
        run.log(dict(row))
    run.summary.update(dict(summary or {}))
    run.finish(exit_code=code)


def log_two_arms(folder: Path) -> None:
    """Log a project `mine` of two arms with two seeds each: `use_sam` adds 0.1 to `acc`."""
    for index in range(4):
        log_run(
            f"r{index}",
            folder=folder,
            project="mine",
            mode="online",
            config={"use_sam": bool(index % 2), "random_state": index // 2},
            summary={"acc": 0.5 + 0.1 * (index % 2)},
        )


def read_run(folder: Path) -> LoggedRun:
    """Read the one offline run somewhere below `folder`."""
    (file,) = folder.rglob("*.wandb")
    return read_log(file)


def read_log(file: Path) -> LoggedRun:
    """Read all that one log holds."""
    log = WandbLog(file)
    log.read()
    return log.run
