"""The folder `wandb/` of runs that were logged offline (or online), as runs: no server is asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiocls.errors import UsageError
from audiocls.formatting import join_names, plural
from audiocls.importing.results import Results
from audiocls.tracking.project import RemoteRun
from audiocls.tracking.wandb.log import LoggedRun, WandbLog
from audiocls.tracking.wandb.sync import RunFolder, newest, run_folders
from audiocls.wandb_remote.sync import at_rest


def read_wandb_folder(path: Path, group: str | None = None) -> Results:
    """Return the runs in `path/wandb`, or in `path` if that is the folder `wandb` itself.

    Of a run that was opened several times the last opening counts. Raises `UsageError` where there
    is no run.
    """
    folder = path if (path / "wandb").is_dir() else path.absolute().parent
    is_there = path.name == "wandb" or folder == path
    folders = newest(run_folders(folder)) if is_there else {}
    if not folders:
        raise UsageError(
            f"{path}: holds no run of W&B; wanted: a folder called wandb, or the one that it is "
            "in, with folders such as offline-run-20260131_120000-a1b2c3 in it"
        )
    logs = {run_id: at_rest(folder.log) for run_id, folder in folders.items()}
    written = {run_id: log for run_id, log in logs.items() if log.run.id}
    runs = [_run_of(log, folders[run_id]) for run_id, log in written.items()]
    histories = {run_id: log.run.history for run_id, log in written.items()}

    def history(run_id: str) -> Sequence[Mapping[str, Any]]:
        return histories[run_id]

    kept = [run for run in runs if group in (None, run.group)]
    if not kept:
        groups = sorted({run.group for run in runs})
        raise UsageError(f"{path}: no run is of the group {group!r}; groups: {join_names(groups)}")
    identity, notes = str(folder.resolve()), _damages(logs)
    return Results(str(path), kept, "W&B", identity=identity, history=history, notes=notes)


def _damages(logs: Mapping[str, WandbLog]) -> tuple[str, ...]:
    """Return notes on logs that are not whole, and on those of runs killed before they wrote."""
    empty = [run_id for run_id, log in logs.items() if not log.run.id]
    damaged = [run_id for run_id, log in logs.items() if log.num_damaged]
    kinds = {"empty, and left out": empty, "damaged in part": damaged}
    return tuple(
        f"The logs of {plural(len(ids), 'run')} are {what}: {join_names(ids, before_rest=', ')}."
        for what, ids in kinds.items()
        if ids
    )


def _run_of(log: WandbLog, folder: RunFolder) -> RemoteRun:
    run = log.run
    return RemoteRun(
        id=folder.run_id,
        name=run.name or folder.run_id,
        state=_state_of(run),
        config={name: value for name, value in run.config.items() if name != "_wandb"},
        summary=run.summary or _last_values(run.history),
        group=run.group,
        job_type=run.job_type,
        created=folder.opened,
    )


def _state_of(run: LoggedRun) -> str:
    """Return the state as a server has it; a run without an end may have been killed."""
    if run.exit_code is None:
        return "running"
    return "failed" if run.exit_code else "finished"


def _last_values(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for row in history for name, value in row.items()}
