"""What a data set is, before any sound is decoded: clips, labels, official splits, fingerprint.

Legend: N clips, K classes.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocls.errors import DataError

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Clip:
    """One file: `id` is unique in its table and the same wherever the data set lies.

    `label` is in [0, K). Clips cut from one recording (or spoken by one speaker) share `source`.
    Exactly one of `fold` (≥ 1) and `split` (train, val, test) is given.
    """

    id: str
    path: Path
    label: int
    source: str
    fold: int | None = None
    split: str | None = None


@dataclass(frozen=True, eq=False)
class Split:
    """Indices into `ClipTable.clips`, ascending, disjoint, each of the three (N_part,) int64."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class ClipTable:
    """The clips of a data set, its class names and its official test folds.

    A table that exists is sound: ids are unique, labels within `labels`, and no source straddles
    a split. `folds` is (1,) for data with official train, val and test lists.

    Raises:
        DataError: the clips break one of these rules; the message names ids or sources.
    """

    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    folds: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.clips:
            raise DataError("The data set has no clips; check `data.root` and its options.")
        _check_ids(self.clips)
        _check_sides(self)
        _check_sources(self.clips)

    def split(self, fold: int) -> Split:
        """Test on `fold`, validate on the next (cyclically), train on the rest; or as listed.

        The ESC-50 protocol (Piczak 2015) with a validation fold added, so that no choice is made
        on the test clips. Official lists have the one fold 1.

        Raises:
            DataError: there is no such fold, or one of the three parts is empty.
        """
        if fold not in self.folds:
            raise DataError(
                f"There is no fold {fold}; this data set has {', '.join(map(str, self.folds))}."
            )
        parts = np.array([_part(clip, fold, self.folds) for clip in self.clips])
        train, val, test = (np.flatnonzero(parts == part) for part in PARTS)
        empty = [name for name in PARTS if not (parts == name).any()]
        if empty:
            raise DataError(
                f"Fold {fold} leaves no clips for {' and '.join(empty)}; needed are three folds "
                "or more, or lists with train, val and test clips."
            )
        return Split(train, val, test)


def fingerprint(table: ClipTable, cache: Path) -> str:
    """16 hex digits of SHA-256 over each clip's id, label, source, fold, split and bytes, in order.

    It does not depend on where the data set lies. Memoised in `cache/fingerprints/`, keyed by the
    path, size and modification time of every file: the second call only stats. A file rewritten
    with the same size within the clock's resolution goes unnoticed.

    Raises:
        DataError: files are missing or unreadable; the message counts them and names a few.
    """
    memo = cache / "fingerprints" / f"{_signature(table)}.json"
    known = _recall(memo)
    if known is None:
        known = _digest(table)
        _remember(memo, known)
    return known


def some(names: Iterable[str], limit: int = 5) -> str:
    """`a, b, c and 7 more`, for messages about many things."""
    known = list(names)
    rest = len(known) - limit
    return ", ".join(known[:limit]) + (f" and {rest} more" if rest > 0 else "")


def _part(clip: Clip, fold: int, folds: tuple[int, ...]) -> str:
    if clip.split is not None:
        return clip.split
    if clip.fold == fold:
        return "test"
    return "val" if clip.fold == folds[(folds.index(fold) + 1) % len(folds)] else "train"


def _check_ids(clips: tuple[Clip, ...]) -> None:
    twice = [id_ for id_, count in Counter(clip.id for clip in clips).items() if count > 1]
    if twice:
        raise DataError(f"{len(twice)} clip ids occur more than once: {some(twice)}.")


def _check_sides(table: ClipTable) -> None:
    wrong = [
        clip.id
        for clip in table.clips
        if not 0 <= clip.label < len(table.labels)
        or (clip.fold is None) == (clip.split is None)
        or (clip.fold is not None and clip.fold not in table.folds)
        or (clip.split is not None and (clip.split not in PARTS or table.folds != (1,)))
    ]
    if wrong:
        raise DataError(
            f"{len(wrong)} clips have a label outside [0, {len(table.labels)}), or not exactly one "
            f"of a fold in {table.folds} and a split in {PARTS}: {some(wrong)}."
        )


def _check_sources(clips: tuple[Clip, ...]) -> None:
    first: dict[str, Clip] = {}
    straddling: dict[str, None] = {}
    for clip in clips:
        other = first.setdefault(clip.source, clip)
        if (clip.fold, clip.split) != (other.fold, other.split):
            straddling[clip.source] = None
    if straddling:
        raise DataError(
            f"{len(straddling)} sources have clips in more than one fold or split, so test clips "
            f"would be heard in training: {some(straddling)}. Put all clips of a source together."
        )


def _row(table: ClipTable, clip: Clip) -> list[str | int | None]:
    return [clip.id, table.labels[clip.label], clip.source, clip.fold, clip.split]


def _signature(table: ClipTable) -> str:
    total = hashlib.sha256(json.dumps(table.labels).encode())
    missing: list[str] = []
    for clip in table.clips:
        try:
            stat = os.stat(clip.path)  # noqa: PTH116  (three times Path.stat's speed)
        except OSError:
            missing.append(str(clip.path))
            continue
        facts = [*_row(table, clip), str(clip.path), stat.st_size, stat.st_mtime_ns]
        total.update(json.dumps(facts).encode())
    if missing:
        raise DataError(
            f"{len(missing)} of {len(table.clips)} audio files are missing: {some(missing)}. "
            "Check `data.root`, or fetch the data set again."
        )
    return total.hexdigest()[:32]


def _digest(table: ClipTable) -> str:
    total = hashlib.sha256(json.dumps(table.labels).encode())
    for clip in table.clips:
        try:
            with clip.path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{clip.path}: cannot be read ({error.strerror}).") from error
        total.update(json.dumps([*_row(table, clip), content]).encode())
    return total.hexdigest()[:16]


def _recall(memo: Path) -> str | None:
    try:
        return str(json.loads(memo.read_text())["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, or damaged: computed again


def _remember(memo: Path, known: str) -> None:
    memo.parent.mkdir(parents=True, exist_ok=True)
    beside = memo.with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(json.dumps({"fingerprint": known}) + "\n")
    beside.replace(memo)
