"""`audiocls noise`: how much a baseline varies by itself, before anything is compared with it."""

import typer

import audiocls
from audiocls.cli import options as o


def noise(
    name: o.NameArgument,
    recipe: o.RecipeOption = None,
    assignments: o.SetOption = None,
    seeds: o.SeedsOption = None,
    folds: o.FoldsOption = None,
    runs: o.RunsOption = o.RUNS,
    executor: o.ExecutorOption = "local",
    devices: o.DevicesOption = "auto",
    workers: o.WorkersOption = None,
    wandb: o.WandbOption = None,
    as_json: o.JsonOption = False,
    format_: o.FormatOption = "terminal",
    out: o.OutOption = None,
    entity: o.EntityOption = None,
    project: o.ProjectOption = None,
) -> None:
    """Train an ablation's baseline on seeds and folds, and measure how much they matter.

    Run the same command again to resume, or with more seeds. `sweep plan` then speaks in points.
    """
    output = o.output_of(as_json, format_, out, entity, project)
    answer = audiocls.noise(
        name, recipe=recipe, set=assignments, seeds=seeds, folds=folds, runs=runs,
        executor=executor, devices=devices, workers=workers, wandb=wandb,
    )  # fmt: skip
    if answer.measured is not None:
        answer.report.write(output)
    assert answer.outcome is not None, "a launch gives it"
    if answer.outcome.exit_code:
        raise typer.Exit(answer.outcome.exit_code)
