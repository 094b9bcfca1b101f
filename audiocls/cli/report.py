"""`audiocls report`: what a launched study found."""

from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli import completion
from audiocls.cli import options as o
from audiocls.errors import UsageError


def report(
    name: o.StudyArgument,
    others: Annotated[
        list[str] | None,
        typer.Argument(
            help="Further studies, to compare with it.", autocompletion=completion.studies
        ),
    ] = None,
    as_json: o.JsonOption = False,
    format_: o.FormatOption = "terminal",
    out: o.OutOption = None,
    entity: o.EntityOption = None,
    project: o.ProjectOption = None,
    figures: o.FiguresOption = None,
    figure_format: o.FigureFormatOption = "svg",
    with_clips: o.ClipsOption = False,
    assignments: o.RootOption = None,
    watch: o.WatchOption = False,
    runs: o.RunsOption = o.RUNS,
) -> None:
    """Compare a study's arms with its baseline, over what is recorded so far; or whole studies."""
    format_ = "html" if watch and format_ == "terminal" and not as_json else format_
    output = o.output_of(as_json, format_, out, entity, project)
    if assignments and output.format != "html":
        raise UsageError(
            f"--set data.root: has an effect with --format html only; got {output.format}"
        )
    if watch and output.format != "html":
        raise UsageError(f"--watch: rewrites an HTML page; got --format {output.format}")
    page, names = out if watch else None, (name, *(others or []))
    known = audiocls.report(
        *names, clips=with_clips, set=assignments, watch=watch, out=page, runs=runs
    )
    if figures is not None:
        for file in known.save_figures(figures, figure_format):
            console.note(str(file))
    known.write(output)
