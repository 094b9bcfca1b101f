"""`audiocls sweep list | show`: the sweeps that can be launched by name."""

from typing import Annotated

import typer

import audiocls
from audiocls.cli import completion
from audiocls.cli import options as o

SweepArgument = Annotated[
    str,
    typer.Argument(
        help="A built-in sweep, or a path to a YAML file.", autocompletion=completion.sweeps
    ),
]


def list_(as_json: o.JsonOption = False) -> None:
    """List every built-in sweep: registered ablations and searches."""
    o.show_catalogue(audiocls.list_sweeps(), as_json)


def show(name: SweepArgument, as_json: o.JsonOption = False) -> None:
    """Show one sweep, in W&B's grammar."""
    sweep = audiocls.read_sweep(name)
    return o.show_content(sweep, as_json)
