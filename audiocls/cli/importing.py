"""`audiocls import`: results that exist become a study that every report reads."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import audiocls
from audiocls import console
from audiocls.cli.options import RUNS, JsonOption, RunsOption
from audiocls.formatting import command_line

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="results.csv, results.parquet, a sweep launched here, a folder wandb, "
        "ENTITY/PROJECT[/SWEEP] of W&B, optuna:sqlite:///FILE, or mlflow:URI.",
    ),
]
StudyOption = Annotated[
    str | None, typer.Option("--study", help="The study's name here; default: the source's.")
]
ArmOption = Annotated[
    str | None,
    typer.Option("--arm", metavar="KEY[,KEY]", help="Columns or config keys that make the arms."),
]
BaselineOption = Annotated[str | None, typer.Option("--baseline", help="The arm to compare with.")]
SeedOption = Annotated[
    str | None, typer.Option("--seed", metavar="KEY", help="Column or key that holds the seed.")
]
FoldOption = Annotated[
    str | None,
    typer.Option("--fold", metavar="KEY", help="Column or key that holds the test fold."),
]
MetricOption = Annotated[
    str | None, typer.Option("--metric", help="Column or summary key to compare.")
]
GoalOption = Annotated[
    Literal["maximize", "minimize"] | None,
    typer.Option("--goal", help="Of W&B and Optuna, default: the sweep's or the study's own."),
]
MarginOption = Annotated[
    float | None,
    typer.Option("--margin", help="Differences below count as none; default: 0.01."),
]
SecondaryOption = Annotated[
    str | None,
    typer.Option(
        "--secondary",
        metavar="NAME:GOAL[:MARGIN][,…]",
        help="Metrics that are reported and decide nothing.",
    ),
]
MatchOption = Annotated[
    str | None,
    typer.Option(
        "--match", help="What must be equal: epochs (default), steps, samples, macs, seconds."
    ),
]
GroupOption = Annotated[
    str | None,
    typer.Option("--group", help="Only this W&B group, Optuna study or MLflow experiment."),
]
WhereOption = Annotated[
    str | None, typer.Option("--where", metavar="JSON", help="A filter in W&B's grammar.")
]


def import_(
    source: SourceArgument,
    arm: ArmOption = None,
    baseline: BaselineOption = None,
    seed: SeedOption = None,
    fold: FoldOption = None,
    metric: MetricOption = None,
    goal: GoalOption = None,
    margin: MarginOption = None,
    secondary: SecondaryOption = None,
    match: MatchOption = None,
    study: StudyOption = None,
    group: GroupOption = None,
    where: WhereOption = None,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Make a study of results that exist, with a row or run a trial; again, bring it up to date.

    Columns called num_train, num_val, num_test (clips), epochs, steps, samples, macs, num_params,
    gradient_passes, wall_s, process_s, peak_memory_mib are what their names say.
    """
    imported = audiocls.import_results(
        source, arm=arm or (), baseline=baseline, seed=seed, fold=fold, metric=metric, goal=goal,
        margin=margin, secondary=secondary or (), match=match, study=study, group=group,
        where=where, runs=runs,
    )  # fmt: skip
    show_imported(imported, runs, as_json)


def show_imported(study: "audiocls.Study", runs: Path, as_json: bool) -> None:
    """Write what was imported, and the command that reads it."""
    imported = study.imported
    assert imported is not None, "import_results gives it"
    facts: dict[str, Any] = {
        "study": imported.study.name,
        "arms": list(imported.study.arms),
        "cells": len(imported.study.cells),
        "done": imported.num_done,
        "failed": imported.num_failed,
        "missing": imported.num_missing,
        "updated": imported.num_updated,
    }
    if as_json:
        console.show_json({**facts, "notes": list(imported.notes)})
        return
    console.show_facts({**facts, "arms": "; ".join(facts["arms"])})
    for note in imported.notes:
        console.note(note)
    console.note(f"read it: {command_line('report', imported.study.name, runs=runs)}")
