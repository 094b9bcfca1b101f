"""`audiocls sweep plan`, and `ablation plan`: what a launch would run, before anything runs."""

import audiocls
from audiocls import console
from audiocls.cli import options as o


def plan(
    name: o.NameArgument,
    recipe: o.RecipeOption = None,
    assignments: o.SetOption = None,
    seeds: o.SeedsOption = None,
    folds: o.FoldsOption = None,
    arms: o.ArmsOption = None,
    effect: o.EffectOption = None,
    runs: o.RunsOption = o.RUNS,
    executor: o.LaunchExecutorOption = "local",
    workers: o.WorkersOption = None,
    profile: o.ProfileOption = None,
    slurm: o.SlurmOption = None,
    as_json: o.JsonOption = False,
    format_: o.FormatOption = "terminal",
    out: o.OutOption = None,
) -> None:
    """Show arms, cells, pairs, cost and what could be seen, before anything runs."""
    output = o.output_of(as_json, format_, out, allowed=o.PLAN_FORMATS, what="a plan")
    planned = audiocls.plan(
        name, recipe=recipe, set=assignments, seeds=seeds, folds=folds, arms=arms, effect=effect,
        runs=runs, executor=executor, workers=workers, profile=profile, slurm=slurm,
    )  # fmt: skip
    for text in planned.notes:
        console.note(text)
    planned.report.write(output)
