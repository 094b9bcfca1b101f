"""The cells of a list of clips: what they mean, and what is wrong with them."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from audiocls.audio.clips import FURTHER
from audiocls.audio.listing import normalised

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
Row = dict[str, str]
Rows = Mapping[int, Row]


@dataclass(frozen=True)
class Reading:
    """How the cells of a list are meant."""

    is_multi_label: bool = False
    source: str | None = None
    """Regular expression that finds the source in a path."""
    val_share: float = 0.0


def id_of(row: Row) -> str:
    """Return the path as it is on every system, in one Unicode form, and the segment of it."""
    segment = segment_of(row)
    part = "#{:.10g}-{:.10g}".format(*segment) if segment else ""
    return posix(row["path"]) + part


def posix(path: str) -> str:
    """Return a path as it is on every system, in one Unicode form."""
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
