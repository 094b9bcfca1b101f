"""`audiocls recipe list | show | copy`: read a recipe, and get one of one's own."""

from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli import options as o
from audiocls.formatting import command_line

RecipeArgument = Annotated[
    str,
    typer.Argument(
        help="A built-in recipe, or a path to a YAML file.", autocompletion=completion.recipes
    ),
]


def list_(as_json: o.JsonOption = False) -> None:
    """List recipes: what each is, its data, and how long it trains on what."""
    o.show_catalogue(audiocls.list_recipes(), as_json)


def show(name: RecipeArgument, as_json: o.JsonOption = False) -> None:
    """Print a recipe's YAML, with where it is from and what it reached."""
    recipe = audiocls.read_recipe(name)
    if as_json:
        console.show_json(recipe.content)
    else:
        console.verbatim(recipe.text)


def copy(
    name: RecipeArgument,
    file: Annotated[
        Path | None, typer.Argument(help="The file to write; default: NAME.yaml here.")
    ] = None,
) -> None:
    """Write a recipe where it can be edited; an existing file is kept."""
    written = audiocls.copy_recipe(name, file)
    console.say(str(written))
    console.note(f"try it: {command_line('train', '--recipe', str(written))}")
