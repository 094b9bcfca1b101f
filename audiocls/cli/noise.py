"""`audiocls noise`: how much a baseline varies by itself, before anything is compared with it."""

import shlex
from dataclasses import replace

import typer

from audiocls import console
from audiocls.analysis.noise import measure
from audiocls.cli import launch
from audiocls.cli import options as o
from audiocls.cli import output as out_
from audiocls.cli.studies import AblationRequest, LaunchOptions, planned, resolved, run_study
from audiocls.config import digest
from audiocls.design import arms_of
from audiocls.errors import UsageError
from audiocls.formatting import plural
from audiocls.render import formats
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
    format_: out_.FormatOption = "terminal",
    out: out_.OutOption = None,
    entity: out_.EntityOption = None,
    project: out_.ProjectOption = None,
) -> None:
    """Train an ablation's baseline on seeds and folds, and measure how much they matter.

    Run the same command again to resume, or with more seeds to add them. `sweep plan` then speaks
    in points.
    """
    from audiocls.render.build.stored import stored_noise

    output = out_.output_of(as_json, format_, out, entity, project)
    found = baseline_alone(launch.ablation_named(name, recipe, assignments, seeds, folds, None))
    outcome = run_study(found, LaunchOptions(runs, wandb, executor, devices, workers))
    folder = StudyFolder(runs / outcome.study.name)
    launch.print_summary(outcome, folder)
    if outcome.counts["done"] and not outcome.stopped_by:
        study = outcome.study
        records = folder.records(study.cells)
        measured = measure(study, records, digest(found.configs[study.baseline]))
        write_noise(folder, measured)
        shown = stored_noise(folder, measured, output.format)
        formats.write(shown.document, output, shown.stem, shown.project)
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
