"""`audiocls report`: what a launched study found."""

from typing import Annotated

import typer

from audiocls.cli import output as out_
from audiocls.cli.options import RUNS, JsonOption, RunsOption, StudyArgument, cache_folder


def report(
    name: StudyArgument,
    others: Annotated[
        list[str] | None, typer.Argument(help="Further studies, to compare with it.")
    ] = None,
    as_json: JsonOption = False,
    format_: out_.FormatOption = "terminal",
    out: out_.OutOption = None,
    entity: out_.EntityOption = None,
    project: out_.ProjectOption = None,
    with_clips: out_.ClipsOption = False,
    assignments: out_.RootOption = None,
    runs: RunsOption = RUNS,
) -> None:
    """Compare a study's arms with its baseline, over what is recorded so far; or whole studies."""
    from audiocls.render.build.stored import stored_report

    output = out_.output_of(as_json, format_, out, entity, project)
    clips = out_.clips_of(with_clips, assignments, output.format)
    found = stored_report([name, *(others or [])], runs, output.format, clips, cache_folder())
    out_.write(found, output)
