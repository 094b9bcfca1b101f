"""The door to Weights & Biases while a trial trains: one trial as one run (wandb 0.31).

Run inside persistent workers, where opening a run costs tens of milliseconds. Code and machine
snapshots are off: the record holds provenance, and each costs start-up time.

Nothing is lost where a server is not there or does not take the key: the run is kept offline. What
an online run could not upload lies in its folder too. Both are named at the end, with the command
that uploads them.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import wandb

from audiocls.tracking import Ending, FinishReport, RunInfo, WandbMode, ignore
from audiocls.tracking.availability import ServerAvailability
from audiocls.tracking.wandb.errors import client_error
from audiocls.tracking.wandb.media import media_of, model_of

INIT_TIMEOUT_S = 10.0
"""How long a server may take to open a run before the run is kept offline."""
FINISH_TIMEOUT_S = 15.0
"""How long a run's last rows and files may take to be uploaded."""


class WandbRun:
    """Opens the run when made; every method may raise what W&B raises.

    A run that its server knows is resumed: what the server has been told is not told again. Its
    stop button calls `on_stop`; by itself W&B would interrupt the worker, which has other trials.
    """

    def __init__(
        self,
        mode: WandbMode,
        info: RunInfo,
        reach: ServerAvailability,
        on_stop: Callable[[], None] = ignore,
    ):
        info.folder.mkdir(parents=True, exist_ok=True)
        self._study, self._on_stop = info.group, on_stop
        self._absence = ""
        self._run = self._open(mode, info, reach)
        self._run.define_metric("epoch")
        self._run.define_metric("*", step_metric="epoch")
        self._num_known = self._run.starting_step
        for row in info.history:
            self.log(row)

    def _open(self, mode: WandbMode, info: RunInfo, reach: ServerAvailability) -> wandb.Run:
        if mode == "online" and not (absence := reach.absence()):
            try:
                return _init("online", info, self._on_stop)
            except wandb.errors.Error as error:
                absence = str(error).partition("\n")[0]
                reach.mark_unavailable(absence)
                restart()  # else the client still holds the id of the run that it could not open
        if mode == "online":
            self._absence = absence
            mode = "offline"
        return _init(mode, info, self._on_stop)

    def log(self, row: Mapping[str, Any]) -> None:
        """One row, on the axis of its `epoch`."""
        if self._num_known > 0:
            self._num_known -= 1
        else:
            self._run.log(dict(row))

    def finish(self, ending: Ending) -> FinishReport:
        self._run.summary.update(dict(ending.summary))
        notes = [self._show(ending), self._finish(ending.exit_code)]
        return FinishReport("; ".join(filter(None, notes)))

    def _show(self, ending: Ending) -> str:
        """Why the evidence or the model could not be shown, if so: the run ends well without."""
        try:
            if ending.evidence is not None:
                self._run.log(media_of(ending.evidence()))
            if ending.model is not None:
                self._run.log_artifact(model_of(ending.model, self._run.id))
        except Exception as error:
            return f"W&B run {self._run.id} lacks evidence: {type(error).__name__}: {error}"
        return ""

    def _finish(self, exit_code: int) -> str:
        """Where the run lies, if it is not all where it should be, and why."""
        try:
            self._run.finish(exit_code=exit_code)
        except TimeoutError:
            return self._left_behind(f"the server did not take it in {FINISH_TIMEOUT_S:g} s")
        fault = client_error(self._folder / "logs" / "debug-internal.log")
        if fault and fault.is_local:
            return f"W&B run {self._run.id} is not whole in {self._folder}: {fault.reason}"
        reason = fault.reason if fault else self._absence
        return self._left_behind(reason) if reason else ""

    def _left_behind(self, reason: str) -> str:
        return (
            f"W&B run {self._run.id} was not uploaded: {reason}. It lies in {self._folder}; "
            f"upload it with: audiocls sweep sync {self._study}"
        )

    @property
    def _folder(self) -> Path:
        return Path(self._run.dir).parent


def restart() -> None:
    """End W&B's own process, dead or alive, and forget it; the next run starts another."""
    # It is forgotten first: what raises is telling a dead one to end.
    with suppress(ConnectionError, SystemExit):
        wandb.teardown()


def _init(mode: WandbMode, info: RunInfo, on_stop: Callable[[], None]) -> wandb.Run:
    """Identity and sweep are the agent's own where W&B's agent started this process."""
    is_agents = "WANDB_RUN_ID" in os.environ
    return wandb.init(
        entity=info.entity or None,
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
        resume="allow" if mode == "online" else None,
        reinit="finish_previous",
        settings=_lean_settings("" if is_agents else info.sweep_id, on_stop),
    )


def _lean_settings(sweep_id: str, on_stop: Callable[[], None]) -> wandb.Settings:
    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        finish_timeout=FINISH_TIMEOUT_S,
        finish_timeout_raises=True,
        init_timeout=INIT_TIMEOUT_S,
        silent=True,
        stop_fn=lambda: on_stop(),  # W&B copies its settings, and cannot copy a bound method
        sweep_id=sweep_id or None,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_save_requirements=False,
    )
