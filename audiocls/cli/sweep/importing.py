"""`audiocls sweep import`: a W&B project's runs become a study that a report can read."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from audiocls import console
from audiocls.cli.options import RUNS, JsonOption, RunsOption
from audiocls.errors import UsageError
from audiocls.formatting import command_line
from audiocls.store import Request, StudyFolder
from audiocls.wandb_remote.import_cells import ImportOptions
from audiocls.wandb_remote.import_runs import Imported, import_study, source_of

SourceArgument = Annotated[str, typer.Argument(metavar="ENTITY/PROJECT[/SWEEP]")]
StudyOption = Annotated[str, typer.Option("--study", help="The study's name here.")]
ArmOption = Annotated[
    str | None,
    typer.Option("--arm", metavar="KEY[,KEY]", help="Config keys that differ between arms."),
]
BaselineOption = Annotated[str | None, typer.Option("--baseline", help="The arm to compare with.")]
SeedOption = Annotated[
    str | None, typer.Option("--seed", metavar="KEY", help="Config key that holds the seed.")
]
FoldOption = Annotated[
    str | None, typer.Option("--fold", metavar="KEY", help="Config key that holds the test fold.")
]
MetricOption = Annotated[str | None, typer.Option("--metric", help="Summary key to compare.")]
GoalOption = Annotated[
    Literal["maximize", "minimize"] | None,
    typer.Option("--goal", help="Default: the sweep's, or maximize."),
]
GroupOption = Annotated[str | None, typer.Option("--group", help="Only this group's runs.")]
WhereOption = Annotated[
    str | None, typer.Option("--where", metavar="JSON", help="A filter in W&B's grammar.")
]


def import_(
    source: SourceArgument,
    study: StudyOption,
    arm: ArmOption = None,
    baseline: BaselineOption = None,
    seed: SeedOption = None,
    fold: FoldOption = None,
    metric: MetricOption = None,
    goal: GoalOption = None,
    group: GroupOption = None,
    where: WhereOption = None,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Make a study of a project's finished runs; again, bring it up to date.

    Runs that audiocls logged need no options; of others say by which keys they are arms and blocks.
    """
    from audiocls.console.bar import counting
    from audiocls.tracking.wandb.connection import Connection
    from audiocls.tracking.wandb.project import WandbProject

    options = {
        "--study": study, "--arm": arm, "--baseline": baseline, "--seed": seed, "--fold": fold,
        "--metric": metric, "--goal": goal, "--group": group, "--where": where,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value}
    with counting("runs") as count:
        imported = import_study(
            StudyFolder(runs / study),
            WandbProject(Connection()),
            source_of(source, group, _filter(where)),
            ImportOptions(study, _keys(arm), baseline, seed, fold, metric, goal),
            Request("sweep import", source, options=given),
            lambda done, total: count("import", done, total),
        )
    console.show_json(_facts(imported)) if as_json else _show(imported, runs)


def _keys(arm: str | None) -> tuple[str, ...]:
    return tuple(key.strip() for key in (arm or "").split(",") if key.strip())


def _filter(where: str | None) -> dict[str, Any] | None:
    if where is None:
        return None
    try:
        filters = json.loads(where)
    except json.JSONDecodeError as error:
        raise UsageError(f"--where: got {where!r}, which is not JSON ({error})") from error
    if not isinstance(filters, dict):
        raise UsageError(f'--where: got {where!r}; wanted: such as {{"config.optimizer": "adam"}}')
    return filters


def _facts(imported: Imported) -> dict[str, Any]:
    return {
        "study": imported.study.name,
        "arms": list(imported.study.arms),
        "cells": len(imported.study.cells),
        "done": imported.num_done,
        "failed": imported.num_failed,
        "missing": imported.num_missing,
        "updated": imported.num_updated,
        "notes": list(imported.study.notes),
    }


def _show(imported: Imported, runs: Path) -> None:
    facts = _facts(imported)
    notes = facts.pop("notes")
    console.show_facts({**facts, "arms": "; ".join(facts["arms"])})
    for note in notes:
        console.note(note)
    console.note(f"read it: {command_line('report', imported.study.name, runs=runs)}")
