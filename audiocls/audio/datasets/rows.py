"""From the rows of a list of clips to their table: labels, sources, splits, folds."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from audiocls.audio.clips import FURTHER, Clip, ClipTable
from audiocls.audio.datasets.cells import (
    Reading,
    Row,
    Rows,
    id_of,
    labels_in,
    posix,
    segment_of,
    split_in,
    split_labels,
)
from audiocls.audio.grouping import grouped_folds
from audiocls.audio.listing import Remark, normalised
from audiocls.audio.recording_names import proposal, source_in
from audiocls.errors import DataError
from audiocls.formatting import join_names
from audiocls.options import Options

NUM_FOLDS = 5
Place = tuple[Path, tuple[int, int] | None]
"""A file; and of a shard, the first byte and the number of bytes of a clip."""


class Val(Options):
    """A validation part for data that has lists of training and test clips only."""

    share: float = Field(default=0.0, ge=0, lt=1)
    """Of the training sources, chosen by the hash of their names; 0: none is drawn."""


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
    proposed = [] if reading.source or "source" in listed.roles else proposal(clips)
    doubtful = () if reading.is_multi_label else _doubtful(labels)
    remarks = (*listed.remarks, *doubtful, *proposed)
    return ClipTable(clips, labels, folds, reading.is_multi_label, remarks=remarks)


def _doubtful(labels: Sequence[str]) -> Iterator[Remark]:
    """Yield the labels with a comma of which a part is a label itself."""
    known = set(labels)
    doubtful = [name for name in labels if "," in name and known.intersection(split_labels(name))]
    if doubtful:
        text = f"labels that may be several: {join_names(doubtful)}; if so --set data.labels=multi"
        yield Remark("labels", text)


def _sources(listed: Listed, rows: Sequence[Row], reading: Reading) -> list[str]:
    """Return the source of each row: as listed, as found in its path, or the path."""
    if reading.source is None:
        return [normalised(row.get("source") or posix(row["path"])) for row in rows]
    if "source" in listed.roles:
        raise DataError(
            f"{listed.where}: data.source finds sources in paths, and a column names them as well; "
            "leave data.source out, or --set data.columns.source=- to pass over the column"
        )
    paths = [posix(row["path"]) for row in rows]
    sources = [source_in(path, reading.source) for path in paths]
    unmatched = [path for path, source in zip(paths, sources, strict=True) if source is None]
    if unmatched:
        raise DataError(
            f"{listed.where}: data.source {reading.source!r} is found neither in the names of "
            f"{len(unmatched)} of {len(rows)} files nor in their paths: {join_names(unmatched)}"
        )
    return [normalised(source) for source in sources if source is not None]


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
