"""A folder for each class, which is what people have who have no manifest."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from audiocls.audio.datasets.cells import SPLIT_NAMES, Row
from audiocls.audio.datasets.rows import Listed
from audiocls.audio.listing import Listing, Remark, is_hidden, list_clips, normalised
from audiocls.errors import DataError
from audiocls.formatting import join_names, plural

_FURTHER = re.compile(r"test[-_](\w[\w.-]*)", re.IGNORECASE | re.ASCII)
"""How folders of further test clips are called: a file's name cannot have a colon everywhere."""


def class_folders(folder: Path, manifest: str) -> Listed | None:
    """Return the rows that a manifest would have, of a folder without one; none without classes.

    A class is a folder with clips at any depth, and there are two at least; folders called as
    splits have the classes inside.

    Raises:
        DataError: some folders are called as splits, and others are not.
    """
    listing = list_clips(folder)
    relative = [path.relative_to(folder).parts for path in listing.files]
    has_splits = _has_splits(folder, {parts[0] for parts in relative if len(parts) > 1})
    depth = 1 + has_splits
    rows = [_row(parts, has_splits) for parts in relative if len(parts) > depth]
    classes = {row["label"] for row in rows}
    if len(classes) < 2:
        return None
    empty = _without_clips(folder, depth, {parts[:depth] for parts in relative})
    loose = tuple("/".join(parts) for parts in relative if len(parts) <= depth)
    remarks = (*_remarks(manifest, loose, empty), *_other_files(listing))
    return Listed(folder, tuple(rows[0]), dict(enumerate(rows, 1)), remarks)


def split_of_folder(name: str) -> str:
    """Return the split that a folder's name means; empty if it means none.

    >>> split_of_folder("Valid"), split_of_folder("test_unseen"), split_of_folder("robin")
    ('val', 'test:unseen', '')
    """
    further = _FURTHER.fullmatch(name)
    return f"test:{further[1]}" if further else SPLIT_NAMES.get(name.lower(), "")


def _has_splits(folder: Path, tops: Iterable[str]) -> bool:
    """Whether the classes are inside of folders that are called as splits."""
    splits = sorted(top for top in tops if split_of_folder(top))
    others = sorted(top for top in tops if not split_of_folder(top))
    meant = {split_of_folder(top) for top in splits}
    if others and "train" in meant and len(meant) > 1:
        raise DataError(
            f"{folder}: {join_names(splits)} are called as splits, and {join_names(others)} beside "
            "them are not. Put the classes into the splits, or move the others elsewhere."
        )
    return bool(splits) and not others


def _row(parts: tuple[str, ...], has_splits: bool) -> Row:
    row = {"path": "/".join(parts), "label": normalised(parts[int(has_splits)])}
    return row | ({"split": split_of_folder(parts[0])} if has_splits else {})


def _without_clips(folder: Path, depth: int, filled: set[tuple[str, ...]]) -> list[str]:
    """Return the folders of classes, `depth` below `folder`, in which no clip lies."""
    there = (path for path in folder.glob("/".join("*" * depth)) if path.is_dir())
    parts = sorted(path.relative_to(folder).parts for path in there)
    return ["/".join(p) for p in parts if p not in filled and not any(map(is_hidden, p))]


def _remarks(manifest: str, loose: tuple[str, ...], empty: list[str]) -> Iterator[Remark]:
    """Yield how the labels came about, and what has none."""
    reading = f"there is no {manifest}: the folder of each class is its label (path,label)"
    yield Remark("class folders", reading)
    if loose:
        text = f"{plural(len(loose), 'clip')} outside the folder of any class: {join_names(loose)}"
        yield Remark("passed over", text, loose)
    if empty:
        text = f"{plural(len(empty), 'folder')} without a clip, no class: {join_names(empty)}"
        yield Remark("empty folders", text, tuple(empty))


def _other_files(listing: Listing) -> Iterator[Remark]:
    """Yield which files are no clips, by their endings."""
    yield from listing.remarks()
    if listing.others:
        text = f"{plural(len(listing.others), 'file')} passed over, no audio by the name: "
        yield Remark("other files", text + join_names(listing.others), listing.others)
