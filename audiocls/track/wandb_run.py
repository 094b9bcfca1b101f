"""The only door to Weights & Biases: one trial as one run (wandb 0.31).

Run inside persistent workers, where opening a run costs tens of milliseconds. System statistics,
code and machine snapshots are off: the record holds provenance, and each costs start-up time.
"""

import os
from collections.abc import Mapping
from typing import Any

import wandb

from audiocls.track import RunInfo, WandbMode

INIT_TIMEOUT_S = 30.0
FINISH_TIMEOUT_S = 20.0


class WandbRun:
    """Opens the run when made; every method may raise what W&B raises."""

    def __init__(self, mode: WandbMode, info: RunInfo):
        info.folder.mkdir(parents=True, exist_ok=True)
        is_agents = "WANDB_RUN_ID" in os.environ
        self._run = wandb.init(
            project=info.project,
            id=None if is_agents else info.id,
            group=info.group,
            job_type=info.job_type,
            name=info.name,
            tags=list(info.tags),
            notes=info.notes,
            config=dict(info.config),
            dir=str(info.folder),
            mode=mode,
            reinit="finish_previous",
            settings=_lean_settings(),
        )
        self._run.define_metric("epoch")
        self._run.define_metric("*", step_metric="epoch")
        for row in info.history:
            self.log(row)

    def log(self, row: Mapping[str, Any]) -> None:
        """One row, on the axis of its `epoch`."""
        self._run.log(dict(row))

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> str | None:
        self._run.summary.update(dict(summary))
        self._run.finish(exit_code=exit_code)
        return None


def _lean_settings() -> wandb.Settings:
    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        finish_timeout=FINISH_TIMEOUT_S,
        init_timeout=INIT_TIMEOUT_S,
        silent=True,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
