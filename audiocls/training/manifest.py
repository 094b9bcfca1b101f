"""A CSV file of clips to score: `path,label[,source][,start,end]`, or another tool's columns."""

from dataclasses import replace
from pathlib import Path

from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import manifests
from audiocls.audio.datasets.cells import Reading, row_problems
from audiocls.audio.datasets.columns import Columns
from audiocls.audio.datasets.layout import raise_problems
from audiocls.audio.datasets.rows import table_of
from audiocls.audio.listing import FileFinder

WHOLE = "is of a split or fold, and a manifest is scored as a whole; to score one split of it use "
WHOLE += "--set data.name=folder --set data.root=DIR"


def read_manifest(path: Path, is_multi_label: bool = False) -> ClipTable:
    """Return a clip per row, all in one fold; classes are in alphabetical order.

    Paths are absolute or relative to the manifest. Clips of one recording share a `source`, which
    by default is the path. `is_multi_label` is whether a cell may hold several labels.

    Raises:
        DataError: the file is no such table; the message has up to twenty of its errors.
    """
    reading, files = Reading(is_multi_label), FileFinder(path.parent)
    listed = manifests.read_manifest(path, Columns(), reading)
    parts = sorted({"split", "fold"} & set(listed.roles))
    raise_problems(path, (f"column {part!r}: {WHOLE}" for part in parts))
    problem = manifests.path_problem(files, has_absolute=True)
    problems = list(row_problems(listed.roles, listed.rows, reading, problem))
    missing = manifests.missing_files(listed, files) if problems else ""
    raise_problems(path, problems, missing and f"{missing} Absolute ones are allowed, too.")
    rows = {line: {**row, "fold": "1"} for line, row in listed.rows.items()}
    whole = replace(listed, rows=rows, roles=(*listed.roles, "fold"))
    table = table_of(whole, reading, lambda each: (files.path(each), None))
    return replace(table, remarks=(*table.remarks, *files.remarks()))
