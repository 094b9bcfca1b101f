"""What a data set is, before any sound is decoded: clips, labels, official splits, fingerprint.

Legend: N clips, K classes.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocls.errors import DataError
from audiocls.formatting import join_names

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Clip:
    """One file: `id` is unique in its table and the same wherever the data set lies.

    `labels` are numbers in [0, K), ascending, one of them or more. Clips cut from one recording
    (or spoken by one speaker) share `source`. Exactly one of `fold` (≥ 1) and `split` (train, val,
    test) is given.
    """

    id: str
    path: Path
    labels: tuple[int, ...]
    source: str
    fold: int | None = None
    split: str | None = None

    @property
    def label(self) -> int:
        """The only label; a `ValueError` for a clip that has several."""
        (label,) = self.labels
        return label

    @property
    def side(self) -> str:
        """The fold or list that it belongs to, in words."""
        return self.split or f"fold {self.fold}"


@dataclass(frozen=True, eq=False)
class Split:
    """Indices into `ClipTable.clips`, ascending, disjoint, each of the three (N_part,) int64."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


class InvalidClipTable(DataError):
    """A table that breaks its own rules; it carries what was listed, for whoever examines it."""

    def __init__(self, listed: "ClipTable"):
        super().__init__("\n".join(violations(listed).values()))
        self.listed = listed

    def __reduce__(self) -> tuple[type["InvalidClipTable"], tuple["ClipTable"]]:
        return InvalidClipTable, (self.listed,)


@dataclass(frozen=True)
class ClipTable:
    """The clips of a data set, its class names and its official test folds.

    A table that exists is sound: ids are unique, labels within `labels`, one a clip unless
    `is_multi_label`, and no source straddles a split. `folds` is (1,) for data with official
    train, val and test lists. `left_out` names clips that the data set lists and that are not
    here, by its own choice.

    Raises:
        UnsoundTable: the clips break these rules; the message has every fault, with ids or sources.
    """

    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    folds: tuple[int, ...]
    is_multi_label: bool = False
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.clips:
            raise DataError("The data set has no clips; check `data.root` and its options.")
        if violations(self):
            raise InvalidClipTable(self)

    def targets(self) -> NDArray[np.int64] | NDArray[np.float32]:
        """What a model should say of each clip: a class number, or a 1 for each of its classes.

        Shape: → (N,) int64, or (N, K) float32 if `is_multi_label`
        """
        if not self.is_multi_label:
            return np.array([clip.label for clip in self.clips], np.int64)
        hot = np.zeros((len(self.clips), len(self.labels)), np.float32)
        for row, clip in zip(hot, self.clips, strict=True):
            row[list(clip.labels)] = 1
        return hot

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
    """16 hex digits of SHA-256 over clips' ids, labels, sources, folds, splits and bytes, in order.

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


def violations(table: ClipTable) -> dict[str, str]:
    """Rules that a table breaks, each with a sentence; empty for every table that exists."""
    rules = {
        "doubled": _doubled_ids,
        "mislabelled": _wrong_labels,
        "misplaced": _wrong_sides,
        "leaking": _straddling_sources,
    }
    return {name: text for name, rule in rules.items() for text in rule(table)}


def _part(clip: Clip, fold: int, folds: tuple[int, ...]) -> str:
    if clip.split is not None:
        return clip.split
    if clip.fold == fold:
        return "test"
    return "val" if clip.fold == folds[(folds.index(fold) + 1) % len(folds)] else "train"


def _doubled_ids(table: ClipTable) -> Iterator[str]:
    twice = [id_ for id_, count in Counter(clip.id for clip in table.clips).items() if count > 1]
    if twice:
        yield f"{len(twice)} clip ids occur more than once: {join_names(twice)}."


def _wrong_labels(table: ClipTable) -> Iterator[str]:
    num_classes = len(table.labels)
    allowed = "one or more labels" if table.is_multi_label else "exactly one label"
    wrong = [clip.id for clip in table.clips if not _fits(clip.labels, table)]
    if wrong:
        yield (
            f"{len(wrong)} clips have a label outside [0, {num_classes}), or not {allowed} in "
            f"ascending order: {join_names(wrong)}."
        )


def _fits(labels: tuple[int, ...], table: ClipTable) -> bool:
    is_ascending = all(low < high for low, high in pairwise(labels))
    is_count_right = len(labels) == 1 or (table.is_multi_label and len(labels) > 1)
    return is_count_right and is_ascending and labels[0] >= 0 and labels[-1] < len(table.labels)


def _wrong_sides(table: ClipTable) -> Iterator[str]:
    wrong = [
        clip.id
        for clip in table.clips
        if (clip.fold is None) == (clip.split is None)
        or (clip.fold is not None and clip.fold not in table.folds)
        or (clip.split is not None and (clip.split not in PARTS or table.folds != (1,)))
    ]
    if wrong:
        yield (
            f"{len(wrong)} clips have not exactly one of a fold in {table.folds} and a split in "
            f"{PARTS}: {join_names(wrong)}."
        )


def straddling(clips: Iterable[Clip]) -> list[str]:
    """Sources with clips in more than one fold or split, in order of appearance."""
    first: dict[str, Clip] = {}
    found: dict[str, None] = {}
    for clip in clips:
        other = first.setdefault(clip.source, clip)
        if (clip.fold, clip.split) != (other.fold, other.split):
            found[clip.source] = None
    return list(found)


def _straddling_sources(table: ClipTable) -> Iterator[str]:
    sources = straddling(table.clips)
    if sources:
        yield (
            f"{len(sources)} sources have clips in more than one fold or split, so test clips "
            f"would be heard in training: {join_names(sources)}. Put all clips of a source "
            "together."
        )


def _row(table: ClipTable, clip: Clip) -> list[list[str] | str | int | None]:
    names = [table.labels[label] for label in clip.labels]
    label = names if table.is_multi_label else names[0]
    return [clip.id, label, clip.source, clip.fold, clip.split]


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
            f"{len(missing)} of {len(table.clips)} audio files are missing: {join_names(missing)}. "
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
