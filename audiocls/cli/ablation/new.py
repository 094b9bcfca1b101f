"""`audiocls ablation new`: write a question about a recipe."""

from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.formatting import command_line


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
