"""`audiocls data check`: validate a data set before it is trusted."""

from functools import partial

from audiocls import console, library
from audiocls.cli.data.sources import DataSetArgument, DataSetOption
from audiocls.cli.options import JsonOption, cache_folder
from audiocls.console.bar import counting


def check(
    name: DataSetArgument, assignments: DataSetOption = None, as_json: JsonOption = False
) -> None:
    """Decode every clip and list all problems.

    Faults (exit code 2): missing, undecodable and truncated clips, and the same source or the same
    audio in several folds or splits. Warnings (exit code 0): silent, duplicated and skipped clips,
    the same audio under two labels, and classes that a fold lacks.
    """
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
    quality.require_usable(name)


def _show_findings(rows: list[tuple[str, str, str]]) -> None:
    columns = ("", "kind", "what")
    if rows:
        console.show_table("Findings", columns, rows, text=columns)
    else:
        console.say("No problems found.")
