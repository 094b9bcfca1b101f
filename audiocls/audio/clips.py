"""Clips, labels, official splits and fingerprint of a data set, before any audio is decoded.

Legend: N clips, K classes.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.clip_content import memoised_digest
from audiocls.audio.listing import Remark
from audiocls.errors import DataError
from audiocls.formatting import join_names

SPLITS = ("train", "val", "test")
FURTHER = re.compile(r"test:[A-Za-z0-9][A-Za-z0-9_.-]*")
"""How splits of test clips beside the test split are called, such as `test:unseen`."""

Validation = Literal["held_out", "none"]
"""Whether clips are held out to choose an epoch by, or trained on (`train.select: last` then)."""


@dataclass(frozen=True)
class Clip:
    """One file or a part of it; `id` is unique in its table, wherever the data set lies.

    `labels` are one or more numbers in [0, K), ascending. Clips cut from one recording (or spoken
    by one speaker) share `source`. Exactly one of `fold` (≥ 1) and `split` (train, val, test, or
    `test:NAME` for further test clips) is given.
    """

    id: str
    path: Path
    labels: tuple[int, ...]
    source: str
    fold: int | None = None
    split: str | None = None
    segment: tuple[float, float] | None = None
    """Start and end within the recording, in seconds; none for the whole of it."""
    member: tuple[int, int] | None = None
    """First byte and number of bytes of an audio file within the file at `path`, a shard."""

    @property
    def label(self) -> int:
        """The only label; raises `ValueError` for a clip that has several."""
        (label,) = self.labels
        return label

    @property
    def side(self) -> str:
        """The fold or split that it belongs to, in words."""
        return self.split or f"fold {self.fold}"

    @property
    def use(self) -> str:
        """The same, where all splits of test clips are one: no model is trained on any."""
        return "test" if self.split and FURTHER.fullmatch(self.split) else self.side


@dataclass(frozen=True, eq=False)
class Split:
    """Indices into `ClipTable.clips`, ascending and disjoint, each (N_split,) int64."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    further: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """Further test clips by the name of their split, `test:NAME`."""


class InvalidClipTable(DataError):
    """Raised for a table that breaks its own rules; carries it, for the data check to examine."""

    def __init__(self, listed: "ClipTable"):
        super().__init__("\n".join(violations(listed).values()))
        self.listed = listed

    def __reduce__(self) -> tuple[type["InvalidClipTable"], tuple["ClipTable"]]:
        return InvalidClipTable, (self.listed,)


@dataclass(frozen=True)
class ClipTable:
    """The clips of a data set, its class names and its official test folds.

    Every instance is valid: ids are unique, labels within `labels`, one a clip unless
    `is_multi_label`, and no source lies on both sides of a split. `folds` is (1,) for data with
    official train, val and test lists. `left_out` has the ids of listed clips that were skipped,
    since they have no file and the options allow it; `remarks` say what else was passed over, or
    read otherwise than it is written.

    Raises:
        DataError: there are no clips.
        InvalidClipTable: the clips break these rules; the message lists every violation.
    """

    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    folds: tuple[int, ...]
    is_multi_label: bool = False
    left_out: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        if not self.clips:
            raise DataError("The data set has no clips; check `data.root` and its options.")
        if violations(self):
            raise InvalidClipTable(self)

    def targets(self) -> NDArray[np.int64] | NDArray[np.float32]:
        """Return the target of each clip: its class number, or a 1 for each of its classes.

        Shape: → (N,) int64, or (N, K) float32 if `is_multi_label`
        """
        if not self.is_multi_label:
            return np.array([clip.label for clip in self.clips], np.int64)
        hot = np.zeros((len(self.clips), len(self.labels)), np.float32)
        for row, clip in zip(hot, self.clips, strict=True):
            row[list(clip.labels)] = 1
        return hot

    def split(self, fold: int, validation: Validation = "held_out") -> Split:
        """Split the clips: test on `fold`, validate on the next (cyclically), train on the others.

        The ESC-50 protocol (Piczak 2015) with a validation fold added, so that no choice is made
        on the test clips. Data with official lists is split by these, and has the one fold 1. With
        `validation` none those clips are trained on, and none validate.

        Raises:
            DataError: there is no such fold, or one of the three splits is empty.

        Shape: → three of (N_split,) int64
        """
        if fold not in self.folds:
            raise DataError(
                f"There is no fold {fold}; this data set has {', '.join(map(str, self.folds))}."
            )
        splits = np.array([split_of(clip, fold, self.folds, validation) for clip in self.clips])
        train, val, test = (np.flatnonzero(splits == name) for name in SPLITS)
        empty = [name for name in needed_splits(validation) if not (splits == name).any()]
        if empty:
            raise DataError(
                f"Fold {fold} leaves no clips for {' and '.join(empty)}; needed are three folds "
                "or more, or lists with train, val and test clips."
            )
        names = sorted({name for name in splits.tolist() if name not in SPLITS})
        return Split(train, val, test, {n: np.flatnonzero(splits == n) for n in names})


def fingerprint(table: ClipTable, cache: Path) -> str:
    """Hash clips' ids, labels, sources, folds, splits and bytes, in order, to 16 hex digits.

    Does not depend on where the data set lies. Memoised in `cache/fingerprints/`, keyed by the
    path, size and modification time of every file: the second call reads no audio. A file rewritten
    with the same size within the clock's resolution goes unnoticed.

    Raises:
        DataError: files are missing or unreadable; the message counts them and names a few.
    """
    rows = [_row(table, clip) for clip in table.clips]
    return memoised_digest(table.labels, table.clips, rows, cache)


def violations(table: ClipTable) -> dict[str, str]:
    """Return the rules that a table breaks, each with a sentence; empty for a valid table."""
    rules = {
        "doubled": _doubled_ids,
        "mislabelled": _wrong_labels,
        "misplaced": _wrong_sides,
        "leaking": _leaking_sources,
    }
    return {name: text for name, rule in rules.items() for text in rule(table)}


def needed_splits(validation: Validation) -> tuple[str, ...]:
    """Return the splits without which nothing can be trained."""
    return SPLITS if validation == "held_out" else ("train", "test")


def split_of(
    clip: Clip, fold: int, folds: tuple[int, ...], validation: Validation = "held_out"
) -> str:
    """Return the split that a clip is in when `fold` is tested on."""
    split = clip.split or _split_of_fold(clip, fold, folds)
    return "train" if split == "val" and validation == "none" else split


def _split_of_fold(clip: Clip, fold: int, folds: tuple[int, ...]) -> str:
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
        or (clip.split is not None and not _is_allowed(clip.split, table.folds))
    ]
    if wrong:
        yield (
            f"{len(wrong)} clips have not exactly one of a fold in {table.folds} and a split in "
            f"{SPLITS}: {join_names(wrong)}."
        )


def _is_allowed(split: str, folds: tuple[int, ...]) -> bool:
    """Whether clips may be in a split beside data with these folds."""
    return bool(FURTHER.fullmatch(split)) or (split in SPLITS and folds == (1,))


def leaking_sources(clips: Iterable[Clip]) -> list[str]:
    """Return sources with clips in more than one fold or split, in order of appearance."""
    first: dict[str, str] = {}
    leaking: dict[str, None] = {}  # an ordered set
    for clip in clips:
        if first.setdefault(clip.source, clip.use) != clip.use:
            leaking[clip.source] = None
    return list(leaking)


def _leaking_sources(table: ClipTable) -> Iterator[str]:
    sources = leaking_sources(table.clips)
    if sources:
        yield (
            f"{len(sources)} sources have clips in more than one fold or split, so test recordings "
            f"would occur in training: {join_names(sources)}. Put all clips of a source together."
        )


def _row(table: ClipTable, clip: Clip) -> list[list[str] | str | float | None]:
    names = [table.labels[label] for label in clip.labels]
    label = names if table.is_multi_label else names[0]
    return [clip.id, label, clip.source, clip.fold, clip.split, *(clip.segment or ())]
