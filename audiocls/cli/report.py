"""`audiocls report`: what a launched study found."""

from typing import Annotated

import typer

from audiocls.cli import options as o


def report(
    name: o.StudyArgument,
    others: Annotated[
        list[str] | None, typer.Argument(help="Further studies, to compare with it.")
    ] = None,
    as_json: o.JsonOption = False,
    format_: o.FormatOption = "terminal",
    out: o.OutOption = None,
    entity: o.EntityOption = None,
    project: o.ProjectOption = None,
    with_clips: o.ClipsOption = False,
    assignments: o.RootOption = None,
    runs: o.RunsOption = o.RUNS,
) -> None:
    """Compare a study's arms with its baseline, over what is recorded so far; or whole studies."""
    from audiocls.render.build.stored import stored_report

    output = o.output_of(as_json, format_, out, entity, project)
    clips = o.clips_of(with_clips, assignments, output.format)
    stored_report([name, *(others or [])], runs, output.format, clips).write(output)
