"""From the rows of a list of clips to their table: labels, sources, segments, splits, folds."""

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import Field

from audiocls.audio.clips import FURTHER, Clip, ClipTable
from audiocls.audio.grouping import grouped_folds
from audiocls.audio.listing import Remark, normalised
from audiocls.audio.recording_names import proposal, source_in
from audiocls.errors import DataError
from audiocls.formatting import join_names
from audiocls.options import Options

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Name of a part of a data set → the split that it means."""
NUM_FOLDS = 5
Row = dict[str, str]
Rows = Mapping[int, Row]
Place = tuple[Path, tuple[int, int] | None]
"""A file; and of a shard, the first byte and the number of bytes of a clip."""


class Val(Options):
    """A validation part for data that has lists of training and test clips only."""

    share: float = Field(default=0.0, ge=0, lt=1)
    """Of the training sources, chosen by the hash of their names; 0: none is drawn."""


@dataclass(frozen=True)
class Reading:
    """How the cells of a list are meant."""

    is_multi_label: bool = False
    source: str | None = None
    """Regular expression that finds the source in a path."""
    val_share: float = 0.0


@dataclass(frozen=True)
class Listed:
    """Rows by where they stand, each by role: `path`, `label` …, and what is told of them."""

    where: Path
    roles: tuple[str, ...]
    rows: Rows
    remarks: tuple[Remark, ...] = ()


def table_of(listed: Listed, reading: Reading, place: Callable[[str], Place]) -> ClipTable:
    """Return the clips in the order of their rows, classes in alphabetical order.

    `place` says where a path's audio is.

    Raises:
        DataError: sources that the options do not find, or that cannot be spread over folds; a
            validation part that cannot be drawn.
    """
    rows = list(listed.rows.values())
    names = [labels_in(row, reading.is_multi_label) for row in rows]
    labels = tuple(sorted({name for each in names for name in each}))
    number = {name: i for i, name in enumerate(labels)}
    sources = _sources(listed, rows, reading)
    sides = _with_val(listed, sources, _sides(listed, rows, names, sources), reading.val_share)
    places = (place(row["path"]) for row in rows)
    clips = tuple(
        Clip(
            id_of(row),
            path,
            tuple(sorted({number[name] for name in each})),
            source,
            fold=side[0],
            split=side[1],
            segment=segment_of(row),
            member=member,
        )
        for row, (path, member), each, source, side in zip(
            rows, places, names, sources, sides, strict=True
        )
    )
    folds = tuple(sorted({clip.fold for clip in clips if clip.fold is not None})) or (1,)
    told = [] if reading.source or "source" in listed.roles else proposal(clips)
    doubtful = () if reading.is_multi_label else _doubtful(labels)
    remarks = (*listed.remarks, *doubtful, *told)
    return ClipTable(clips, labels, folds, reading.is_multi_label, remarks=remarks)


def id_of(row: Row) -> str:
    """Return the path as it is on every system, in one Unicode form, and the segment of it."""
    segment = segment_of(row)
    part = "#{:.10g}-{:.10g}".format(*segment) if segment else ""
    return _posix(row["path"]) + part


def _posix(path: str) -> str:
    return unicodedata.normalize("NFC", str(PurePosixPath(path.replace("\\", "/"))))


def segment_of(row: Row) -> tuple[float, float] | None:
    """Return start and end in seconds, where a row has them."""
    start, end = row.get("start", ""), row.get("end", "")
    return (_seconds(start), _seconds(end)) if start or end else None


def _seconds(cell: str) -> float:
    """Return a time; half of the world has decimal commas."""
    return float(cell.replace(",", "."))


def labels_in(row: Row, is_multi_label: bool) -> list[str]:
    """Return the labels of a row."""
    if not is_multi_label:
        return [row["label"]]
    cells = (row["label"], row.get("also", ""))
    return [name for cell in cells for name in split_labels(cell)]


def split_labels(cell: str) -> list[str]:
    """Return labels separated by semicolons or else by commas, in brackets and quotes or not.

    >>> split_labels("dog; cat"), split_labels("['a', 'b']"), split_labels("Speech, male; Music")
    (['dog', 'cat'], ['a', 'b'], ['Speech, male', 'Music'])
    """
    bare = cell.strip()
    is_list = bare.startswith("[") and bare.endswith("]")
    parts = (bare[1:-1] if is_list else bare).split(";" if ";" in bare else ",")
    names = (part.strip().strip("'\"" if is_list else "") for part in parts)
    return list(dict.fromkeys(normalised(name) for name in names if name))


def row_problems(
    roles: Sequence[str], rows: Rows, reading: Reading, of_path: Callable[[str], str | None]
) -> Iterator[str]:
    """Yield what is wrong with rows; `of_path` says what is wrong with a path."""
    if not rows:
        yield "there are no rows"
    classes = {row["label"] for row in rows.values()}
    first: dict[str, int] = {}
    for line, row in rows.items():
        faults = list(_cell_problems(roles, row, reading, classes))
        if not any(role in ("start", "end") for role, _ in faults):
            earlier = first.setdefault(id_of(row), line)
            if earlier != line:
                yield f"line {line}, path: {row['path']!r} is on line {earlier} already"
        if problem := of_path(row["path"]):
            yield f"line {line}, path: {problem}"
        for role, problem in faults:
            yield f"line {line}, {role}: {problem}"


def _cell_problems(
    roles: Sequence[str], row: Row, reading: Reading, classes: set[str]
) -> Iterator[tuple[str, str]]:
    if problem := _label_problem(row["label"], reading, classes):
        yield "label", problem
    if "split" in roles and not split_in(row["split"]):
        allowed = "allowed are train, val (validation, valid), test, and test:NAME for further ones"
        yield "split", f"got {row['split']!r}, {allowed}"
    if "fold" in roles and not _is_fold(row["fold"]):
        yield "fold", f"got {row['fold']!r}, allowed is a whole number from 1 (or test:NAME)"
    yield from _segment_problems(row)
    if "" in row:
        yield "end", f"got {row['']!r} beyond the last column; quote commas"


def _label_problem(label: str, reading: Reading, classes: set[str]) -> str:
    if not label or (reading.is_multi_label and not split_labels(label)):
        return "is empty"
    if reading.is_multi_label:
        return ""
    parts = split_labels(label)
    if len(parts) > 1 and (";" in label or label.startswith("[") or classes.issuperset(parts)):
        return (
            f"got {label!r}, which looks like several labels; for several labels a clip "
            "--set data.labels=multi, for one class give it a name without ';'"
        )
    return ""


def _doubtful(labels: Sequence[str]) -> Iterator[Remark]:
    """Yield the labels with a comma of which a part is a label itself."""
    known = set(labels)
    found = [name for name in labels if "," in name and known.intersection(split_labels(name))]
    if found:
        text = f"labels that may be several: {join_names(found)}; if so --set data.labels=multi"
        yield Remark("labels", text)


def _is_fold(cell: str) -> bool:
    return bool(re.fullmatch(r"0*[1-9]\d*(\.0*)?", cell) or FURTHER.fullmatch(cell))


def _segment_problems(row: Row) -> Iterator[tuple[str, str]]:
    cells = {role: row[role] for role in ("start", "end") if role in row}
    if not any(cells.values()):
        return
    wrong = [role for role, cell in cells.items() if not _is_time(cell)]
    for role in wrong:
        yield role, f"got {cells[role]!r}, allowed is a number of seconds from 0"
    if not wrong and not _seconds(cells["start"]) < _seconds(cells["end"]):
        yield "end", f"got {cells['end']!r}, allowed is a time after the start, {cells['start']} s"


def _is_time(cell: str) -> bool:
    try:
        return 0 <= _seconds(cell) < math.inf
    except ValueError:
        return False


def split_in(cell: str) -> str:
    """Return the split that a cell names; empty if it names none."""
    return cell if FURTHER.fullmatch(cell) else SPLIT_NAMES.get(cell.lower(), "")


def _sources(listed: Listed, rows: Sequence[Row], reading: Reading) -> list[str]:
    """Return the source of each row: as listed, as found in its path, or the path."""
    if reading.source is None:
        return [normalised(row.get("source") or _posix(row["path"])) for row in rows]
    if "source" in listed.roles:
        raise DataError(
            f"{listed.where}: data.source finds sources in paths, and a column names them as well; "
            "leave data.source out, or --set data.columns.source=- to pass over the column"
        )
    paths = [_posix(row["path"]) for row in rows]
    found = [source_in(path, reading.source) for path in paths]
    unmatched = [path for path, source in zip(paths, found, strict=True) if source is None]
    if unmatched:
        raise DataError(
            f"{listed.where}: data.source {reading.source!r} is found neither in the names of "
            f"{len(unmatched)} of {len(rows)} files nor in their paths: {join_names(unmatched)}"
        )
    return [normalised(source) for source in found if source is not None]


Side = tuple[int | None, str | None]
"""Fold and split of a clip, one of which is none."""


def _sides(
    listed: Listed, rows: Sequence[Row], names: Sequence[Sequence[str]], sources: Sequence[str]
) -> list[Side]:
    """Return the fold or split of each row; where there is none, sources are dealt to folds."""
    if "split" in listed.roles:
        return [(None, split_in(row["split"])) for row in rows]
    if "fold" in listed.roles:
        cells = [row["fold"] for row in rows]
        return [(None, c) if FURTHER.fullmatch(c) else (int(float(c)), None) for c in cells]
    counts = Counter(name for each in names for name in each)
    rarest = [min(each, key=lambda name: (counts[name], name)) for each in names]
    return [(fold, None) for fold in grouped_folds(sources, rarest, NUM_FOLDS)]


def _with_val(
    listed: Listed, sources: Sequence[str], sides: list[Side], share: float
) -> list[Side]:
    """Return the sides with a share of the training sources moved to the validation split."""
    if share == 0:
        return sides
    splits = {split for _, split in sides}
    if "train" not in splits or "val" in splits:
        why = "there are validation clips" if "val" in splits else "there is no split 'train'"
        raise DataError(f"{listed.where}: data.val.share has no effect, for {why}; leave it out")
    trained = {source for source, side in zip(sources, sides, strict=True) if side[1] == "train"}
    draws = {source: _draw(source) for source in trained}
    # By a threshold and not by rank: more recordings leave those before where they are.
    chosen = {source for source, draw in draws.items() if draw < share} or {
        min(draws, key=draws.__getitem__)
    }
    if chosen == trained:
        raise DataError(
            f"{listed.where}: data.val.share={share:g} takes all {len(trained)} training sources; "
            "give a smaller share, or more sources"
        )
    moved = [
        (None, "val") if side[1] == "train" and source in chosen else side
        for source, side in zip(sources, sides, strict=True)
    ]
    return list(moved)


def _draw(source: str) -> float:
    """Hash a source to [0, 1), the same on every machine and in every list."""
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:8], "big") / 2**64
