"""`audiocls data check`: validate a data set before it is trusted."""

from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli.data.sources import DataSetArgument, DataSetOption
from audiocls.cli.options import JsonOption
from audiocls.render.output import show


def check(
    name: DataSetArgument,
    assignments: DataSetOption = None,
    is_accepted: Annotated[
        bool, typer.Option("--accept", help="Let launches train on truncated or clipped clips.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decode every clip and list all problems.

    Faults (exit code 2): data that cannot be split or has one class; missing and undecodable clips;
    clips that are truncated, clipped at full scale or whose channels cancel; the same source or the
    same audio in several folds or splits. Warnings (exit code 0): silent, duplicated and skipped
    clips, the same audio under two labels, classes that a fold lacks or that look alike, and what
    was read otherwise than it is written.

    A launch finds the same. It stops at what training would fail on, and where more than 1 % of
    the clips are truncated, clipped or cancelled; the rest are notes of its study.
    """
    checked = audiocls.check_data(name, set=assignments, accept=is_accepted)
    document = checked.report.document
    if as_json:
        console.show_json(document.data())
    else:
        show(document)
    if is_accepted:
        console.note("launches go on although clips are truncated, clipped or cancelled")
    checked.quality.require_usable(name)
