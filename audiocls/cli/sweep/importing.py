"""`audiocls sweep import`: a W&B project's runs become a study that a report can read."""

from typing import Annotated

import typer

import audiocls
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
    imported = audiocls.import_results(
        f"wandb:{source}", arm=arm or (), baseline=baseline, seed=seed, fold=fold, metric=metric,
        goal=goal, study=study, group=group, where=where, runs=runs,
    )  # fmt: skip
    i.show_imported(imported, runs, as_json)
