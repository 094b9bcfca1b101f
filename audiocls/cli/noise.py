"""`audiocls noise`: how much a baseline varies by itself, before anything is compared with it."""

import typer

from audiocls import console
from audiocls.analysis.noise import Noise
from audiocls.cli import options as o
from audiocls.console.progress import TerminalDisplay
from audiocls.formatting import format_fixed, num_decimals, scale_of
from audiocls.stats import StdEstimate
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
) -> None:
    """Train an ablation's baseline on seeds and folds, and measure how much they matter.

    Run the same command again to resume, or with more seeds. `sweep plan` then speaks in points.
    """
    request = ablation_request(name, recipe, assignments, seeds, folds)
    options = LaunchOptions(runs, wandb, executor, devices, workers)
    measured = run_noise(request, options, TerminalDisplay())
    if measured.noise is not None:
        found, goal = measured.noise, measured.outcome.study.goal
        console.show_json(found.to_mapping()) if as_json else show(found, goal)
    if measured.outcome.exit_code:
        raise typer.Exit(measured.outcome.exit_code)


def show(measured: Noise, goal: str) -> None:
    """The components in the terminal, in points where the metric is a share."""
    scale = scale_of(goal, [measured.mean])
    unit = " (points)" if scale == 100 else ""
    spreads = {**measured.sources, "difference of two arms": measured.pair}
    decimals = num_decimals(max(spread.sd for spread in spreads.values()) * scale)
    rows = [(name, *_cells(spread, scale, decimals)) for name, spread in spreads.items()]
    console.show_table(
        f"{measured.study}: {measured.metric} over {measured.grid}",
        ("source", f"sd{unit}", "95 % interval"),
        rows,
        text=("source",),
    )
    console.say(
        f"Mean {format_fixed(measured.mean * scale, num_decimals(measured.mean * scale))}. "
        "Arms are taken to be as noisy as the baseline, and to share with it the fold alone."
    )
    if measured.sampling is not None:
        error = measured.sampling * scale
        clips = f"{measured.num_test} clips on a fold"
        console.say(
            f"Test-set sampling alone ({clips}): ±{format_fixed(error, num_decimals(error) + 1)}."
        )
    if measured.mixed:
        console.note(f"trials of different {', '.join(measured.mixed)}: that counts as noise here")
    if measured.left_out:
        blocks = ", ".join(f"seed {seed} fold {fold}" for seed, fold in measured.left_out)
        console.note(f"left out, for others of their seed or fold are missing: {blocks}")


def _cells(spread: StdEstimate, scale: int, decimals: int) -> tuple[str, str]:
    sd, low, high = (
        format_fixed(v * scale, decimals) for v in (spread.sd, spread.low, spread.high)
    )
    return sd, f"{low} to {high}"
