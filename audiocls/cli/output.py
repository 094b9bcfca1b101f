"""Options of the commands that answer a question: in which format, into which file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiocls import library
from audiocls.cli.options import require_file_name
from audiocls.errors import NotComparable, UsageError
from audiocls.render import formats
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.formats import FORMATS, Output, checked

if TYPE_CHECKING:
    from audiocls.render.build.stored import Stored

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
OF_PLANS = ("terminal", "json", "md", "html", "tex", "ipynb")
"""Formats of a plan: it has no runs that W&B could show."""


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


def write(found: "Stored", output: Output) -> None:
    """Print or write a document; raises `NotComparable` where nothing in it was compared."""
    formats.write(found.document, output, found.stem, found.project)
    if found.document.incomparable:
        raise NotComparable(found.document.incomparable)
