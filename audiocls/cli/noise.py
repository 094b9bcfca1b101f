"""`audiocls noise`: how much a baseline varies by itself, before anything is compared with it."""

import typer

from audiocls.cli import options as o
from audiocls.console.progress import TerminalDisplay
from audiocls.store import StudyFolder
from audiocls.studies.noise import run_noise
from audiocls.studies.options import LaunchOptions
from audiocls.studies.request import ablation_request


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
    from audiocls.render.build.stored import stored_noise

    output = o.output_of(as_json, format_, out, entity, project)
    request = ablation_request(name, recipe, assignments, seeds, folds)
    options = LaunchOptions(runs, wandb, executor, devices, workers)
    measured = run_noise(request, options, TerminalDisplay())
    if measured.noise is not None:
        folder = StudyFolder(runs / measured.outcome.study.name)
        stored_noise(folder, measured.noise, output.format).write(output)
    if measured.outcome.exit_code:
        raise typer.Exit(measured.outcome.exit_code)
