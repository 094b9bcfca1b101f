"""`audiocls show`: a recipe's model, layer by layer, before anything is trained."""

from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli.options import JsonOption, PathOption
from audiocls.render.output import show as show_document


def show(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A built-in recipe, or a path to a YAML file.", autocompletion=completion.recipes
        ),
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            autocompletion=completion.assignments,
            help="Such as model.dropout=0.1.",
        ),
    ] = None,
    depth: Annotated[int, typer.Option("--depth", min=0, help="Levels of nested layers.")] = 2,
    classes: Annotated[
        int | None, typer.Option("--classes", min=1, help="Default: as many as the data set has.")
    ] = None,
    as_json: JsonOption = False,
    places: PathOption = None,
) -> None:
    """Show a recipe's model: output shapes, parameters, MACs per clip, remaining budget."""
    document = audiocls.show(recipe, set=assignments, depth=depth, classes=classes).document
    if as_json:
        console.show_json(document.data())
    else:
        show_document(document)
