"""A CSV file of clips to score: `path,label[,source]`."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from audiocls.audio.clips import Clip, ClipTable
from audiocls.audio.datasets.layout import raise_problems, read_csv
from audiocls.audio.listing import FileFinder, normalised
from audiocls.errors import did_you_mean

COLUMNS = ("path", "label", "source")


def read_manifest(path: Path) -> ClipTable:
    """Return a clip per row, all in one fold; classes are in alphabetical order.

    Paths are absolute or relative to the manifest. Clips of one recording share a `source`, which
    by default is the path.

    Raises:
        DataError: the file is no such table; the message has up to twenty of its errors.
    """
    listing, files = read_csv(path, COLUMNS), FileFinder(path.parent)
    raise_problems(path, _column_errors(listing.columns))
    raise_problems(path, _row_errors(files, listing.rows))
    rows = list(listing.rows.values())
    labels = tuple(sorted({row["label"] for row in rows}))
    clips = tuple(
        Clip(
            id=row["path"],
            path=files.path(row["path"]),
            labels=(labels.index(row["label"]),),
            source=normalised(row.get("source") or row["path"]),
            fold=1,
        )
        for row in rows
    )
    return ClipTable(clips, labels, (1,), remarks=(*listing.remarks, *files.remarks()))


def _column_errors(columns: list[str]) -> Iterator[str]:
    for column in COLUMNS[:2]:
        if column not in columns:
            yield f"there is no column {column!r}; the header has {', '.join(columns) or 'nothing'}"
    for column in columns:
        if column in ("split", "fold"):
            yield (
                f"column {column!r}: a manifest is scored as a whole; to score one split of it use "
                "--set data.name=folder --set data.root=DIR"
            )
        elif column not in COLUMNS:
            hint = did_you_mean(column, COLUMNS)
            yield f"column {column!r}: allowed are {', '.join(COLUMNS)}.{hint}"


def _row_errors(files: FileFinder, rows: dict[int, dict[str, str]]) -> Iterator[str]:
    if not rows:
        yield "there are no rows"
    count = Counter(row["path"] for row in rows.values())
    for line, row in rows.items():
        if not row["path"].strip():
            yield f"line {line}, path: is empty"
        elif count[row["path"]] > 1:
            yield f"line {line}, path: {row['path']!r} is there {count[row['path']]} times"
        elif files.find(row["path"]) is None:
            yield f"line {line}, path: there is no file {row['path']!r} in {files.root}"
        if not row["label"]:
            yield f"line {line}, label: is empty"
        if "" in row:
            yield f"line {line}, end: got {row['']!r} beyond the last column; quote commas"
