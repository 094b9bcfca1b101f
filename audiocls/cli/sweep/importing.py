"""`audiocls sweep import`: a W&B project's runs become a study that a report can read."""

from typing import Annotated

import typer

from audiocls.cli import importing as i
from audiocls.cli.options import RUNS, JsonOption, RunsOption

ProjectArgument = Annotated[str, typer.Argument(metavar="ENTITY/PROJECT[/SWEEP]")]
StudyOption = Annotated[str, typer.Option("--study", help="The study's name here.")]


def import_(
    source: ProjectArgument,
    study: StudyOption,
    arm: i.ArmOption = None,
    baseline: i.BaselineOption = None,
    seed: i.SeedOption = None,
    fold: i.FoldOption = None,
    metric: i.MetricOption = None,
    goal: i.GoalOption = None,
    group: i.GroupOption = None,
    where: i.WhereOption = None,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Make a study of a project's finished runs; again, bring it up to date.

    Runs that audiocls logged need no options; of others say by which keys they are arms and blocks.
    `audiocls import` does the same for every other source.
    """
    from audiocls.console.bar import counting
    from audiocls.importing.sources import WANDB, import_results

    with counting("runs") as count:
        imported = import_results(
            f"{WANDB}{source}", arm=arm or (), baseline=baseline, seed=seed, fold=fold,
            metric=metric, goal=goal, study=study, group=group, where=where, runs=runs,
            watch=lambda done, total: count("import", done, total),
        )  # fmt: skip
    i.show_imported(imported, runs, as_json)
