"""`audiocls train`: one trial, as a study's cell or on its own."""

import os
from typing import Annotated, Any

import typer

from audiocls import console, library
from audiocls.cli import options as o
from audiocls.cli.options import cache_folder
from audiocls.cli.studies import LaunchOptions, request, resolved, run_study
from audiocls.cli.tuning import refuse_tuning
from audiocls.errors import UsageError
from audiocls.store import StudyFolder
from audiocls.studies.resolve import Resolved, single_trial

CELL = ("arm", "seed", "fold")


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
    found = one_trial(assignments or [], recipe, ablation, config)
    means = LaunchOptions(
        runs,
        wandb,
        executor,
        devices,
        workers=1,
        has_tensorboard=tensorboard,
        has_model=log_model,
        run_id=os.environ.get("WANDB_RUN_ID", ""),
        is_exclusive=False,
    )
    # Asked for once more, a trial that failed is tried once more.
    StudyFolder(runs / found.study.name).trial(found.study.cells[0].id).reset_failure()
    outcome = run_study(found, means)
    _show(StudyFolder(runs / found.study.name), found.study.cells[0].id)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def one_trial(
    given: list[str],
    recipe: str | None = None,
    ablation: str | None = None,
    config: str | None = None,
) -> Resolved:
    """The trial that such a command line names, as a study of one cell."""
    if sum(name is not None for name in (recipe, ablation, config)) != 1:
        raise UsageError("give one of --recipe NAME, --ablation NAME and --config FILE")
    overrides = library.overrides(given)
    return _cell(ablation, given, overrides) if ablation else _alone(recipe or config, overrides)


def _cell(ablation: str, given: list[str], overrides: dict[str, Any]) -> Resolved:
    """One cell of an ablation; keys that are not its place are overrides of every arm."""
    missing = [key for key in CELL if key not in overrides]
    if missing:
        raise UsageError(f"--ablation {ablation} needs {', '.join(f'{k}=…' for k in missing)}")
    arm, seed, fold = (str(overrides[key]) for key in CELL)
    others = [item for item in given if item.partition("=")[0] not in CELL]
    asked = request(ablation, None, others, seeds=seed, folds=fold, arms=arm)
    refuse_tuning(asked.ablation, ablation, "training one cell")
    return resolved(asked).only(arm)


def _alone(recipe: str | None, overrides: dict[str, Any]) -> Resolved:
    assert recipe is not None
    return single_trial(recipe, library.recipe(recipe), overrides, cache_folder())


def _show(folder: StudyFolder, trial_id: str) -> None:
    trial = folder.trial(trial_id)
    record, failure = trial.record(), trial.failure()
    if record is not None:
        cost = {"parameters": record.cost.num_params, "seconds": record.cost.wall_s}
        metrics = {name: f"{value:.4f}" for name, value in record.metrics.items()}
        console.show_facts({**metrics, **cost, "folder": trial.path})
        for note in record.notes:
            console.note(f"started from {note}")
        console.note(f"use it: audiocls predict {trial.path} FILE…")
    elif failure is not None:
        # Why it failed was said when it did.
        console.note(f"traceback: {trial.path / 'failure.json'}; output: {trial.log}")
