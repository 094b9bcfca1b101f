"""`audiocls train`: one trial, as a study's cell or on its own."""

from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli import options as o
from audiocls.formatting import command_line
from audiocls.render.output import show

Assignments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE", autocompletion=completion.assignments, help="Such as optim.lr=1e-3."
    ),
]
AblationOption = Annotated[
    str | None,
    typer.Option(
        "--ablation",
        autocompletion=completion.ablations,
        help="Train a cell of it: arm=… seed=… fold=…",
    ),
]


def train(
    assignments: Assignments = None,
    recipe: o.RecipeOption = None,
    ablation: AblationOption = None,
    config: Annotated[
        str | None, typer.Option("--config", help="A recipe's or a trial's YAML file.")
    ] = None,
    runs: o.RunsOption = o.RUNS,
    executor: o.ExecutorOption = "local",
    devices: o.DevicesOption = "auto",
    wandb: o.WandbOption = None,
    tensorboard: o.TensorboardOption = False,
    log_model: o.LogModelOption = False,
    devices_per_trial: o.DevicesPerTrialOption = 1,
    trusted: o.TrustOption = None,
    places: o.PathOption = None,
) -> None:
    """Train one trial, or reuse it if it is finished, and print its metrics and its folder."""
    trial = audiocls.train(
        recipe, set=assignments, ablation=ablation, config=config, runs=runs, executor=executor,
        devices=devices, wandb=wandb, tensorboard=tensorboard, log_model=log_model,
        devices_per_trial=devices_per_trial,
    )  # fmt: skip
    _show(trial)
    if trial.outcome.fault:
        console.error(trial.outcome.fault)
    if trial.outcome.exit_code:
        raise typer.Exit(trial.outcome.exit_code)


def _show(trial: "audiocls.Trial") -> None:
    failure = trial.failure
    if trial.record is not None:
        show(trial.report.document)
        for note in trial.record.notes:
            console.note(f"started from {note}")
        if trial.folder.checkpoint.exists():
            console.note(f"use it: {command_line('predict', str(trial.path))} FILE…")
    elif failure is not None:
        # The cause was shown when the trial failed.
        console.note(f"traceback: {trial.path / 'failure.json'}; output: {trial.folder.log}")
