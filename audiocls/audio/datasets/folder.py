"""Your own recordings: a CSV manifest of paths and labels beside the audio files."""

import csv
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from audiocls.audio.clips import Clip, ClipTable, Validation
from audiocls.audio.datasets.class_folders import SPLIT_NAMES, class_folders
from audiocls.audio.datasets.layout import find_root, raise_problems, read_csv
from audiocls.audio.grouping import grouped_folds
from audiocls.audio.listing import FileFinder, Remark, normalised
from audiocls.errors import did_you_mean
from audiocls.options import Options, added

_COLUMNS = ("path", "label", "split", "fold", "source")
_NUM_FOLDS = 5


class Folder(Options):
    """Your recordings: `root/manifest.csv` with the columns `path,label[,split|fold][,source]`.

    Paths are relative to the manifest. Clips cut from one recording share a `source`, which by
    default is the path. `split` is train, val (validation, valid) or test; `fold` counts from 1.
    With neither, sources are assigned to five folds, always the same way (`grouped_folds`).
    Without a manifest the folder of each class is its label: `root/dog/*.wav`, or below folders
    called as splits, `root/train/dog/*.wav`.
    """

    name: Literal["folder"] = "folder"
    root: str | None = None
    sample_rate: int = Field(default=16000, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=1.0, gt=0, description="seconds of a clip trained on")
    manifest: str = "manifest.csv"
    validation: Validation = added("held_out")

    @property
    def is_multi_label(self) -> bool:
        return False

    @property
    def num_folds(self) -> int | None:
        """Unknown until the manifest is read: `len(table.folds)`."""
        return None

    def table(self, cache: Path) -> ClipTable:
        """List the clips in the manifest's order, classes in alphabetical order.

        Raises:
            DataError: no root, no manifest, or errors in it (all at once, twenty shown).
        """
        found = class_folders(self.root, self.manifest)
        if found is not None:
            root, rows, remarks = found
            return _table(root, FileFinder(root), list(rows[0]), rows, remarks)
        path = find_root(self.name, self.root, self.manifest) / self.manifest
        listing, files = read_csv(path, _COLUMNS), FileFinder(path.parent)
        raise_problems(path, _column_problems(listing.columns))
        raise_problems(path, _row_problems(files, listing.columns, listing.rows))
        rows = list(listing.rows.values())
        return _table(path.parent, files, listing.columns, rows, listing.remarks)


def _table(
    root: Path,
    files: FileFinder,
    columns: list[str],
    rows: list[dict[str, str]],
    remarks: tuple[Remark, ...],
) -> ClipTable:
    labels = tuple(sorted({row["label"] for row in rows}))
    folds = _folds(columns, rows)
    clips = tuple(_clip(files, labels, row, fold) for row, fold in zip(rows, folds, strict=True))
    official = {fold for fold in folds if fold is not None}
    every = (*remarks, *files.remarks())
    return ClipTable(clips, labels, tuple(sorted(official)) or (1,), remarks=every)


def write_manifest(table: ClipTable, root: Path) -> None:
    """Write `root/manifest.csv` for clips below `root`, so that `folder` reads the same data."""
    side = "fold" if table.clips[0].split is None else "split"
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", side, "source"))
        for clip in table.clips:
            path = clip.path.relative_to(root).as_posix()
            rows.writerow((path, table.labels[clip.label], clip.fold or clip.split, clip.source))


def _clip(
    files: FileFinder, labels: tuple[str, ...], row: dict[str, str], fold: int | None
) -> Clip:
    split = SPLIT_NAMES[row["split"].lower()] if fold is None else None
    label = labels.index(row["label"])
    return Clip(_id(row), files.path(row["path"]), (label,), _source(row), fold, split)


def _id(row: dict[str, str]) -> str:
    """Return the path as it is on every system, in one Unicode form."""
    return unicodedata.normalize("NFC", str(PurePosixPath(row["path"].replace("\\", "/"))))


def _source(row: dict[str, str]) -> str:
    return normalised(row.get("source") or _id(row))


def _folds(columns: list[str], rows: list[dict[str, str]]) -> list[int | None]:
    if "split" in columns:
        return [None] * len(rows)
    if "fold" in columns:
        return [int(float(row["fold"])) for row in rows]
    sources = [_source(row) for row in rows]
    return list(grouped_folds(sources, [row["label"] for row in rows], _NUM_FOLDS))


def _column_problems(columns: list[str]) -> Iterator[str]:
    for column in ("path", "label"):
        if column not in columns:
            yield f"there is no column {column!r}; the header has {', '.join(columns) or 'nothing'}"
    for column in columns:
        if column not in _COLUMNS:
            known = ", ".join(_COLUMNS)
            yield f"column {column!r}: allowed are {known}.{did_you_mean(column, _COLUMNS)}"
        elif columns.count(column) > 1:
            yield f"column {column!r}: is there {columns.count(column)} times"
    if "split" in columns and "fold" in columns:
        yield "columns 'split' and 'fold': give one of them"


def _row_problems(
    files: FileFinder, columns: list[str], rows: dict[int, dict[str, str]]
) -> Iterator[str]:
    if not rows:
        yield "there are no rows"
    first: dict[str, int] = {}
    for line, row in rows.items():
        earlier = first.setdefault(_id(row), line)
        if earlier != line:
            yield f"line {line}, path: {row['path']!r} is on line {earlier} already"
        for column, problem in _cell_problems(files, columns, row):
            yield f"line {line}, {column}: {problem}"


def _cell_problems(
    files: FileFinder, columns: list[str], row: dict[str, str]
) -> Iterator[tuple[str, str]]:
    path = row["path"]
    if not path.strip() or Path(path).is_absolute():
        yield "path", f"got {path!r}, allowed is a path relative to the manifest"
    elif files.find(path) is None:
        yield "path", f"there is no file {path!r} in {files.root}"
    if not row["label"]:
        yield "label", "is empty"
    if "split" in columns and row["split"].lower() not in SPLIT_NAMES:
        yield "split", f"got {row['split']!r}, allowed are train, val (validation, valid), test"
    if "fold" in columns and not re.fullmatch(r"0*[1-9]\d*(\.0*)?", row["fold"]):
        yield "fold", f"got {row['fold']!r}, allowed is a whole number from 1"
    if "" in row:
        yield "end", f"got {row['']!r} beyond the last column; quote commas"
