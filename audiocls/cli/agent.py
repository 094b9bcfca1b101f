"""`audiocls sweep agent`: W&B agents on this machine, one per GPU or core."""

import shlex
import socket
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from audiocls import console
from audiocls.cli import options as o
from audiocls.cli.launch import require_folder
from audiocls.cli.push import pushed, show_pushed
from audiocls.cli.server_trials import ordered
from audiocls.cli.studies import LaunchOptions
from audiocls.console.progress import watching
from audiocls.execution.interrupt import stop_on_signal
from audiocls.execution.scheduler import Launch
from audiocls.tracking.sweep_server import SweepPath
from audiocls.wandb_server.agent import DEFAULT_RETRIES, Agent, RetryPolicy, RunQuota
from audiocls.wandb_server.source import MOST_FAILURES, Ending, ServerSource, orphaned_runs


def agent(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="ENTITY/PROJECT/ID.")],
    runs: o.RunsOption = o.RUNS,
    devices: o.DevicesOption = "auto",
    workers: o.WorkersOption = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Trials to take, over all agents here.")
    ] = None,
    max_failures: Annotated[
        int, typer.Option("--max-failures", min=0, help="In a row, then leave; 0: never.")
    ] = MOST_FAILURES,
    study: Annotated[
        str | None, typer.Option("--study", help="Folder's name; default: the sweep's name.")
    ] = None,
) -> None:
    """Run what a W&B sweep orders until it has no more: one agent per GPU, or per core."""
    require_folder(study)
    means = LaunchOptions(runs, "online", devices=devices, workers=workers)
    conclude(serve(SweepPath.parse(sweep), means, count, max_failures, study))


def launch_on_server(sweep: Mapping[str, Any], means: LaunchOptions) -> None:
    """What `--executor wandb` means: push the sweep, then run agents of it here."""
    found = pushed(sweep, means.runs, sweep.get("entity"))
    show_pushed(found)
    conclude(serve(found.sweep.path, means))


def conclude(ending: Ending) -> None:
    """Why it ended, for people and for the shell."""
    console.note(ending.sentence)
    if ending.exit_code:
        raise typer.Exit(ending.exit_code)


def serve(
    path: SweepPath,
    means: LaunchOptions,
    count: int | None = None,
    most_failures: int = MOST_FAILURES,
    study: str | None = None,
    retries: RetryPolicy = DEFAULT_RETRIES,
) -> Ending:
    """As many agents as there are devices, until the last has ended or somebody wants to stop."""
    from audiocls.tracking.wandb.connection import Connection
    from audiocls.tracking.wandb.sweeps import WandbSweeps

    slots, server = means.slots(), WandbSweeps(Connection())
    sweep = server.sweep(path)
    console.note(f"sweep {path}: {sweep.url}")
    trials = ordered(sweep, means.runs, study)
    quota = RunQuota(count, orphaned_runs(sweep, trials.folder))
    with stop_on_signal() as stop, watching() as watch:
        ids = [server.register_agent(path, socket.gethostname()) for _ in slots]
        agents = ServerSource(
            [Agent(server, each, quota, retries) for each in ids], trials.work, most_failures
        )
        passed = Launch(agents, None, 0, watch)
        passed.drive(trials.executor(slots), stop)
    ending = agents.ending(passed.stopped_by is not None)
    again = shlex.join(["audiocls", "sweep", "agent", str(path)])
    counts = f"{passed.num_done} trained, {passed.num_failed} failed"
    hint = f". Go on with: {again}" if ending.exit_code else ""
    return Ending(f"{counts}; {ending.sentence}{hint}", ending.exit_code)
