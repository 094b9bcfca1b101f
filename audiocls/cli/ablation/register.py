"""`audiocls ablation register`: an ablation as a W&B sweep, in a file or on the server."""

from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli.options import RUNS, RunsOption
from audiocls.cli.sweep.agent import show_pushed
from audiocls.formatting import command_line


def register(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A built-in name, or a path to a YAML file.", autocompletion=completion.ablations
        ),
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Every built-in ablation.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("sweeps"),
    is_pushed: Annotated[
        bool, typer.Option("--push", help="Create it on the W&B server instead.")
    ] = False,
    project: Annotated[
        str, typer.Option("--project", help="W&B project, with --push.")
    ] = "audiocls",
    entity: Annotated[
        str | None, typer.Option("--entity", help="W&B entity, with --push; default: your own.")
    ] = None,
    runs: RunsOption = RUNS,
) -> None:
    """Write the ablation as a W&B sweep, sweeps/NAME.yaml, or create it on the server."""
    made = audiocls.register(
        name, all=is_all, out=out, push=is_pushed, project=project, entity=entity, runs=runs
    )
    for each in made:
        if each.pushed is not None:
            show_pushed(each.pushed)
        else:
            launch = command_line("sweep", "launch", each.source)
            console.say(f"{each.file}  ({launch}, or: wandb sweep {each.file})")
