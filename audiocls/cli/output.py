"""Options of the commands that answer a question: in which format, into which file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from audiocls import library
from audiocls.cli.checkpoints import require_file_name
from audiocls.errors import UsageError
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.formats import FORMATS, Output, checked

FormatOption = Annotated[
    str, typer.Option("--format", help=f"{', '.join(FORMATS)}. html, ipynb, wandb write files.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="File to write, for all formats but terminal.")
]
EntityOption = Annotated[str | None, typer.Option("--entity", help="Of W&B, for wandb.")]
ProjectOption = Annotated[str | None, typer.Option("--project", help="Of W&B, for wandb.")]
ClipsOption = Annotated[
    bool, typer.Option("--clips", help="Clip by clip, too; html has it without being asked.")
]
RootOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="data.root=DIR", help="Where the clips of html lie now."),
]
ROOT = "data.root"


def output_of(
    as_json: bool,
    format_: str,
    out: Path | None,
    entity: str | None = None,
    project: str | None = None,
    allowed: Sequence[str] = FORMATS,
    what: str = "",
) -> Output:
    """Return what the options ask for; raises `UsageError` for what would have no effect."""
    output = checked(Output(format_, out, entity, project), as_json, allowed, what)
    require_file_name(out)
    return output


def clips_of(is_asked: bool, assignments: list[str] | None, format_: str) -> ClipsRequest:
    """Return what `--clips` and `--set` ask for; raises `UsageError` for what has no effect."""
    given = library.overrides(assignments or [])
    unknown = [key for key in given if key != ROOT]
    if unknown:
        raise UsageError(f"--set: got {', '.join(unknown)}; allowed in a report: {ROOT}=DIR")
    if given and format_ != "html":
        raise UsageError(f"--set {ROOT}: has an effect with --format html only; got {format_}")
    return ClipsRequest(is_asked, str(given[ROOT]) if given else None)
