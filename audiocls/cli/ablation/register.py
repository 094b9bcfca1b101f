"""`audiocls ablation register`: an ablation as a W&B sweep, in a file or on the server."""

from pathlib import Path
from typing import Annotated

import typer

from audiocls import console
from audiocls.cli.options import RUNS, RunsOption
from audiocls.cli.sweep.agent import show_pushed
from audiocls.design.register import PROJECT
from audiocls.formatting import command_line
from audiocls.wandb_remote.register import push_registered, registered_sweeps, write_registered


def register(
    name: Annotated[
        str | None, typer.Argument(help="A built-in name, or a path to a YAML file.")
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Every built-in ablation.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("sweeps"),
    is_pushed: Annotated[
        bool, typer.Option("--push", help="Create it on the W&B server instead.")
    ] = False,
    project: Annotated[str, typer.Option("--project", help="W&B project, with --push.")] = PROJECT,
    entity: Annotated[
        str | None, typer.Option("--entity", help="W&B entity, with --push; default: your own.")
    ] = None,
    runs: RunsOption = RUNS,
) -> None:
    """Write the ablation as a W&B sweep, sweeps/NAME.yaml, or create it on the server."""
    for sweep in registered_sweeps(name, is_all):
        if is_pushed:
            show_pushed(push_registered(sweep, project, entity, runs))
        else:
            source = name or sweep["name"]
            path = write_registered(sweep, out, source)
            launch = command_line("sweep", "launch", source)
            console.say(f"{path}  ({launch}, or: wandb sweep {path})")
