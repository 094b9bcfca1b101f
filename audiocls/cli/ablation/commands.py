"""`audiocls ablation list | show | new | register`: questions, written down before they are run."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli import options as o
from audiocls.cli.sweep.agent import show_pushed
from audiocls.formatting import command_line


def list_(as_json: o.JsonOption = False) -> None:
    """List every built-in ablation."""
    o.show_catalogue(audiocls.list_ablations(), as_json)


def show(name: o.NameArgument, as_json: o.JsonOption = False) -> None:
    """Show one ablation, every default written down."""
    content = audiocls.read_ablation(name).model_dump(mode="json")
    return o.show_content(content, as_json)


def new(
    name: Annotated[str, typer.Argument(help="What the ablation is called.")],
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            autocompletion=completion.recipes,
            help="The baseline: a built-in recipe, or a path.",
        ),
    ],
    factor: Annotated[
        list[str],
        typer.Option(
            "--factor",
            metavar="KEY=VALUE[,VALUE…]",
            autocompletion=completion.assignments,
            help="A key and the values to try, or a word such as mixup or sam; repeatable.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; default: NAME.yaml here.")
    ] = None,
) -> None:
    """Write an ablation's YAML: an arm for each value, checked before it is written."""
    made = audiocls.new_ablation(name, recipe=recipe, factor=factor, out=out)
    console.say(f"{made.file}: {len(made.arms)} arms, {made.num_trials} trials")
    for note in made.notes:
        console.note(note)
    console.note(f"next: {command_line('sweep', 'plan', str(made.file))}")


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
    runs: o.RunsOption = o.RUNS,
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
            theirs = shlex.join(["wandb", "sweep", str(each.file)])
            console.say(f"{each.file}  ({launch}, or: {theirs})")
