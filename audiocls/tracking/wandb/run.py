"""Weights & Biases as a tracker: one trial is one run (wandb 0.31).

Used inside persistent workers, where opening a run costs tens of milliseconds. Snapshots of code
and machine are off: the record holds provenance, and each snapshot costs start-up time.

Nothing is lost where a server does not answer or refuses the key: the run is kept offline, and what
an online run could not upload is in its folder too. `finish` names both, with the command that
uploads them.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import wandb

from audiocls.formatting import command_line
from audiocls.machine import fault_in, fault_of
from audiocls.tracking import Ending, FinishReport, RunInfo, ServerAvailability, WandbMode, ignore
from audiocls.tracking.wandb.errors import client_error
from audiocls.tracking.wandb.media import media_of, model_of

INIT_TIMEOUT_S = 10.0
"""How long a server may take to open a run before the run is kept offline."""
FINISH_TIMEOUT_S = 15.0
"""How long a run's last rows and files may take to be uploaded."""


class WandbRun:
    """Opens the run when made; every method may raise what W&B raises.

    A run that its server knows is resumed, without logging again what the server has. Its stop
    button calls `on_stop`; by itself W&B would interrupt the worker, which has other trials.
    """

    def __init__(
        self,
        mode: WandbMode,
        info: RunInfo,
        reach: ServerAvailability,
        on_stop: Callable[[], None] = ignore,
    ):
        info.folder.mkdir(parents=True, exist_ok=True)
        self._on_stop = on_stop
        study = info.folder
        self._upload = command_line("sweep", "sync", study.name, runs=study.parent)
        self._absence = self._fault = ""
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
        """Log one row, unless the server has it from before the run was resumed."""
        if self._num_known > 0:
            self._num_known -= 1
        else:
            self._run.log(dict(row))

    def finish(self, ending: Ending) -> FinishReport:
        self._run.summary.update(dict(ending.summary))
        notes = [self._show(ending), self._finish(ending.exit_code)]
        return FinishReport("; ".join(filter(None, notes)), fault=self._fault)

    def _show(self, ending: Ending) -> str:
        """Log breakdown and model; return why that failed, since the run ends well without."""
        try:
            if ending.evidence is not None:
                self._run.log(media_of(ending.evidence()))
            if ending.model is not None:
                self._run.log_artifact(model_of(ending.model, self._run.id))
        except Exception as error:
            self._fault = str(fault_of(error, self._folder, Path(gettempdir())) or "")
            return f"W&B run {self._run.id} is incomplete: {type(error).__name__}: {error}"
        return ""

    def _finish(self, exit_code: int) -> str:
        """End the run; return why it is not complete where it should be, and where it is."""
        try:
            self._run.finish(exit_code=exit_code)
        except TimeoutError:
            return self._left_behind(f"the server did not take it in {FINISH_TIMEOUT_S:g} s")
        fault = client_error(self._folder / "logs" / "debug-internal.log")
        if fault and fault.is_local:
            self._fault = self._fault or str(fault_in(fault.reason, self._folder) or "")
            return f"W&B run {self._run.id} is not whole in {self._folder}: {fault.reason}"
        reason = fault.reason if fault else self._absence
        return self._left_behind(reason) if reason else ""

    def _left_behind(self, reason: str) -> str:
        why = reason.rstrip(".")
        return (
            f"W&B run {self._run.id} was not uploaded: {why}. It lies in {self._folder}; "
            f"upload it with: {self._upload}"
        )

    @property
    def _folder(self) -> Path:
        return Path(self._run.dir).parent


def restart() -> None:
    """End W&B's own process, dead or alive, and forget it; the next run starts another."""
    # The client forgets the process first; asking a dead process to end is what raises.
    with suppress(ConnectionError, SystemExit):
        wandb.teardown()


def _init(mode: WandbMode, info: RunInfo, on_stop: Callable[[], None]) -> wandb.Run:
    """Open the run, under the id and the sweep of W&B's agent where one started this process."""
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
        reinit="create_new",
        settings=lean_settings(
            finish_timeout=FINISH_TIMEOUT_S,
            finish_timeout_raises=True,
            init_timeout=INIT_TIMEOUT_S,
            stop_fn=lambda: on_stop(),  # W&B copies its settings, and cannot copy a bound method
            sweep_id=None if is_agents else info.sweep_id or None,
        ),
    )


def lean_settings(**settings: Any) -> wandb.Settings:
    """Return settings without snapshots of code, console and machine, and without output."""
    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        silent=True,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_save_requirements=False,
        **settings,
    )
