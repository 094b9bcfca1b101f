"""`audiocls train`: one trial, as a study's cell or on its own."""

import os
from typing import Annotated

import typer

from audiocls import console
from audiocls.cli import options as o
from audiocls.console.progress import TerminalDisplay
from audiocls.formatting import command_line
from audiocls.store import StudyFolder, TrialFolder
from audiocls.studies.ablation import one_trial, run_trial
from audiocls.studies.options import LaunchOptions


def train(
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Such as optim.lr=1e-3.")
    ] = None,
    recipe: o.RecipeOption = None,
    ablation: Annotated[
        str | None, typer.Option("--ablation", help="Train a cell of it: arm=… seed=… fold=…")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="A recipe's or a trial's YAML file.")
    ] = None,
    runs: o.RunsOption = o.RUNS,
    executor: o.ExecutorOption = "local",
    devices: o.DevicesOption = "auto",
    wandb: o.WandbOption = None,
    tensorboard: o.TensorboardOption = False,
    log_model: o.LogModelOption = False,
) -> None:
    """Train one trial, or reuse it if it is finished, and print its metrics and its folder."""
    trial = one_trial(assignments or [], recipe, ablation, config)
    options = LaunchOptions(
        runs,
        wandb,
        executor,
        devices,
        workers=1,
        has_tensorboard=tensorboard,
        has_model=log_model,
        run_id=os.environ.get("WANDB_RUN_ID", ""),
        is_single=True,
    )
    outcome = run_trial(trial, options, TerminalDisplay())
    _show(StudyFolder(runs / trial.study.name).trial(trial.study.cells[0].id))
    if outcome.fault:
        console.error(outcome.fault)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def _show(trial: TrialFolder) -> None:
    record, failure = trial.record(), trial.failure()
    if record is not None:
        cost = {"parameters": record.cost.num_params, "seconds": record.cost.wall_s}
        metrics = {name: f"{value:.4f}" for name, value in record.metrics.items()}
        console.show_facts({**metrics, **cost, "folder": trial.path})
        for note in record.notes:
            console.note(f"started from {note}")
        console.note(f"use it: {command_line('predict', str(trial.path))} FILE…")
    elif failure is not None:
        # The cause was shown when the trial failed.
        console.note(f"traceback: {trial.path / 'failure.json'}; output: {trial.log}")
