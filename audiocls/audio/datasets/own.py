"""Anybody's data set, `name: "package.module:attribute"`: a callable that yields a row a clip.

Its module is run by a process of its own (`own_rows`), for plans need the list of clips as well,
and import nothing of the user's.
"""

import json
import math
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from os.path import commonpath
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pydantic import Field

from audiocls.audio.clips import Clip, ClipTable, Validation
from audiocls.audio.datasets.cells import split_in
from audiocls.audio.datasets.layout import raise_problems
from audiocls.audio.grouping import grouped_folds
from audiocls.audio.listing import normalised
from audiocls.audio.remote import is_url, local_copy
from audiocls.errors import DataError, did_you_mean
from audiocls.options import added
from audiocls.parts import Call, OwnPart

KEYS = ("path", "label", "labels", "source", "fold", "split", "id", "start", "end")
NUM_FOLDS = 5
Row = Mapping[str, Any]


class OwnData(OwnPart):
    """A data set of your own, called (**options), which yields a mapping for each clip.

    Keys: `path`; `label`, or `labels` where `multi_label` is true; `source`, by default the path
    (clips of one recording share it); `fold` from 1 or `split` (train, val, test), or neither of
    them, for five folds drawn by source; `start` and `end` in seconds, of a segment of the file;
    `id`, by default the path below `root` or below the folder that all share, and the segment.
    Splits may also be `test:NAME`, for further test clips. Relative paths are relative to
    `root`, or to the working directory.
    """

    CALL: ClassVar = Call("data", "data", ())

    root: str | None = None
    """Folder of the recordings, passed on if the callable names it; not part of a trial's id."""
    sample_rate: int = Field(default=16000, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=1.0, gt=0, description="seconds of a clip trained on")
    multi_label: bool = False
    """Whether a clip may have several labels."""
    validation: Validation = added("held_out")

    @property
    def is_multi_label(self) -> bool:
        return self.multi_label

    @property
    def num_folds(self) -> int | None:
        """Unknown until the clips are listed."""
        return None

    def table(self, cache: Path) -> ClipTable:
        """List the clips in the callable's order, classes in alphabetical order.

        Raises:
            DataError: the callable fails, or its rows do, with all faults at once.
        """
        root = self.root
        if root:
            root = str(local_copy(root, cache) if is_url(root) else Path(root).expanduser())
        return self.model_copy(update={"root": root})._listed()

    def _listed(self) -> ClipTable:
        rows = list(self._rows())
        where = Path(self.name)
        raise_problems(where, _problems(rows, self.multi_label))
        folder = Path(self.root).absolute() if self.root else Path.cwd()
        paths = [folder / Path(row["path"]).expanduser() for row in rows]
        hint = "" if self.root else "; relative paths begin at data.root, which is not given"
        missing = (f"there is no file {path}{hint}" for path in paths if not path.is_file())
        raise_problems(where, missing)
        return _table(rows, paths, self.root and folder, self.multi_label)

    def _rows(self) -> list[Row]:
        answer = self._answer()
        if "fault" in answer:
            raise DataError(f"{self.what}: {answer['fault']}")
        return list(answer["rows"])

    def _answer(self) -> dict[str, Any]:
        """Return what the callable yields, or its fault, from a process of its own."""
        self.require_trusted()
        given = self.model_dump_json()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "rows.json")
            words = [sys.executable, "-m", "audiocls.audio.datasets.own_rows", str(out)]
            ran = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
            if not out.exists():
                last = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
                return {"fault": f"listing its clips failed: {last}"}
            return dict(json.loads(out.read_text(encoding="utf-8")))


def _problems(rows: list[Row], is_multi_label: bool) -> Iterator[str]:
    if not rows:
        yield "yields no clip"
    for number, row in enumerate(rows, 1):
        for problem in _row_problems(row, is_multi_label) if isinstance(row, Mapping) else ():
            yield f"clip {number}: {problem}"
        if not isinstance(row, Mapping):
            yield f"clip {number}: got {row!r}, wanted a mapping with {', '.join(KEYS)}"
    sides = {("fold" in row, "split" in row) for row in rows if isinstance(row, Mapping)}
    if len(sides) > 1 or (True, True) in sides:
        yield "fold, split: give one of them for every clip, or none for any"
    elif is_multi_label and (False, False) in sides:
        yield "fold, split: folds can be drawn for clips of one label alone; give fold or split"


def _row_problems(row: Row, is_multi_label: bool) -> Iterator[str]:
    for key in row:
        if key not in KEYS:
            yield f"{key}: unknown key.{did_you_mean(key, KEYS)} Known here: {', '.join(KEYS)}"
    if not isinstance(row.get("path"), str) or not row["path"]:
        yield f"path: got {row.get('path')!r}, wanted a path"
    labels = _labels(row)
    if not labels or not all(labels):
        yield f"label: got {row.get('labels', row.get('label'))!r}, wanted a name"
    elif len(labels) > 1 and not is_multi_label:
        yield f"labels: got {labels}, wanted one, or data.multi_label=true"
    if "fold" in row and not (type(row["fold"]) is int and row["fold"] >= 1):
        yield f"fold: got {row['fold']!r}, wanted a whole number from 1"
    if "split" in row and not split_in(str(row["split"])):
        yield f"split: got {row['split']!r}, wanted train, val, test or test:NAME"
    yield from _segment_problems(row)


def _segment_problems(row: Row) -> Iterator[str]:
    times = [row[key] for key in ("start", "end") if key in row]
    is_time = [isinstance(t, int | float) and not isinstance(t, bool) and t >= 0 for t in times]
    if times and not (len(times) == 2 and all(is_time) and times[0] < times[1] < math.inf):
        got = ", ".join(f"{key} {row[key]!r}" for key in ("start", "end") if key in row)
        yield f"start, end: got {got}; wanted both, in seconds, the end after the start"


def _segment(row: Row) -> tuple[float, float] | None:
    return (float(row["start"]), float(row["end"])) if "start" in row else None


def _labels(row: Row) -> list[str]:
    given = row.get("labels", row.get("label"))
    several = given if isinstance(given, list) else [] if given is None else [given]
    return [normalised(str(label)) for label in several]


def _table(
    rows: list[Row], paths: list[Path], root: Path | str | None, is_multi_label: bool
) -> ClipTable:
    names = tuple(sorted({label for row in rows for label in _labels(row)}))
    number = {name: index for index, name in enumerate(names)}
    files, segments = _ids(paths, root), [_segment(row) for row in rows]
    ids = [
        str(row.get("id", "")) or file + ("#{:.10g}-{:.10g}".format(*part) if part else "")
        for row, file, part in zip(rows, files, segments, strict=True)
    ]
    recordings = [
        file if part else id_ for file, part, id_ in zip(files, segments, ids, strict=True)
    ]
    sources = [
        normalised(str(row.get("source") or recording))
        for row, recording in zip(rows, recordings, strict=True)
    ]
    folds = _folds(rows, sources)
    clips = tuple(
        Clip(
            id=id_,
            path=path,
            labels=tuple(sorted({number[label] for label in _labels(row)})),
            source=source,
            fold=fold,
            split=None if fold is not None else split_in(str(row["split"])),
            segment=segment,
        )
        for row, path, id_, source, fold, segment in zip(
            rows, paths, ids, sources, folds, segments, strict=True
        )
    )
    official = sorted({fold for fold in folds if fold is not None})
    return ClipTable(clips, names, tuple(official) or (1,), is_multi_label)


def _folds(rows: list[Row], sources: list[str]) -> list[int | None]:
    if "split" in rows[0]:
        return [None] * len(rows)
    if "fold" in rows[0]:
        return [row["fold"] for row in rows]
    return list(grouped_folds(sources, [_labels(row)[0] for row in rows], NUM_FOLDS))


def _ids(paths: Iterable[Path], root: Path | str | None) -> list[str]:
    """Return the paths below `root`, or below what all share: the same wherever the data lies."""
    known = list(paths)
    folder = Path(root or commonpath([path.parent for path in known]))
    relative = [path.relative_to(folder) if path.is_relative_to(folder) else path for path in known]
    return [unicodedata.normalize("NFC", str(PurePosixPath(path))) for path in relative]
