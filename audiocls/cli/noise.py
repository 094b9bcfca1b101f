"""`audiocls noise`: how much a baseline varies by itself, before anything is compared with it."""

import shlex
from dataclasses import replace

import typer

from audiocls import console
from audiocls.analysis.noise import Noise, measure
from audiocls.cli import launch
from audiocls.cli import options as o
from audiocls.cli.studies import AblationRequest, LaunchOptions, planned, resolved, run_study
from audiocls.config import digest
from audiocls.design import arms_of
from audiocls.errors import UsageError
from audiocls.formatting import format_fixed, num_decimals, plural, scale_of
from audiocls.stats import StdEstimate
from audiocls.store import StudyFolder
from audiocls.store.reuse import noise_study
from audiocls.studies.reports import write_noise
from audiocls.studies.resolve import Resolved

FEW_SEEDS = 3


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

    Launch again to go on, or with more seeds. `sweep plan` then speaks in points.
    """
    found = baseline_alone(launch.ablation_named(name, recipe, assignments, seeds, folds, None))
    outcome = run_study(found, LaunchOptions(runs, wandb, executor, devices, workers))
    folder = StudyFolder(runs / outcome.study.name)
    launch.print_summary(outcome, folder)
    if outcome.counts["done"] and not outcome.stopped_by:
        study = outcome.study
        measured = measure(
            study, folder.records(study.cells), digest(found.configs[study.baseline])
        )
        write_noise(folder, measured)
        console.show_json(measured.to_mapping()) if as_json else show(measured, study.goal)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def baseline_alone(asked: AblationRequest) -> Resolved:
    """The study of the baseline's trials; raises `UsageError` where they could not differ."""
    alone = replace(asked, arms=next(iter(arms_of(asked.ablation))))
    chosen, _ = planned(alone)
    if len(chosen.blocks) < 2:
        raise UsageError(
            f"noise {asked.name}: got one seed and one fold; wanted: two seeds or two folds at "
            "least, better three seeds, such as --seeds 0..2"
        )
    if len(chosen.seeds) < FEW_SEEDS:
        few = plural(len(chosen.seeds), "seed")
        console.note(f"with {few}, what seeds do is a guess; better: --seeds 0..2 or more")
    if asked.ablation.tune:
        tuned = ", ".join(asked.ablation.tune)
        console.note(
            f"the baseline is measured untuned, with the recipe's {tuned}: what its arms choose "
            "may make them vary more, or less"
        )
    found = resolved(alone, noise_study(asked.ablation.name))
    command = ["audiocls", "noise", asked.name, *asked.options("seeds", "folds")]
    question = f"How much does the baseline of {asked.ablation.name} vary by itself?"
    study = replace(found.study, question=question, command=shlex.join(command))
    return replace(found, study=study)


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
