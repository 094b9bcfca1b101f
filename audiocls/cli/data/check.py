"""`audiocls data check`: validate a data set before it is trusted."""

from functools import partial
from typing import Annotated

import typer

from audiocls import console, library
from audiocls.cli.data.sources import DataSetArgument, DataSetOption
from audiocls.cli.options import JsonOption, cache_folder
from audiocls.console.bar import counting


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
    from audiocls.audio.check import accept
    from audiocls.audio.check import check as examine
    from audiocls.audio.check.summary import as_values, facts_of
    from audiocls.audio.datasets import dataset_named

    data = dataset_named(name, library.overrides(assignments or []))
    with counting("clips") as count:
        quality = examine(data, cache_folder(), partial(count, f"checking {name}"))
    if as_json:
        console.show_json(as_values(quality))
    else:
        console.show_facts(facts_of(quality, data))
        _show_findings([(f.severity, f.kind, f.text) for f in quality.findings])
    if is_accepted:
        accept(data, cache_folder())
        console.note("launches go on although clips are truncated, clipped or cancelled")
    quality.require_usable(name)


def _show_findings(rows: list[tuple[str, str, str]]) -> None:
    columns = ("", "kind", "what")
    if rows:
        console.show_table("Findings", columns, rows, text=columns)
    else:
        console.say("No problems found.")
