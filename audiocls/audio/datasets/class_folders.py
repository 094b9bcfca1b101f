"""A folder for each class, which is what people have who have no manifest."""

from pathlib import Path

from audiocls.audio.listing import Listing, Remark, list_clips, normalised

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

Rows = list[dict[str, str]]


def class_folders(root: str | None, manifest: str) -> tuple[Path, Rows, tuple[Remark, ...]] | None:
    """Return the rows that a manifest would have, of a root without one; none if it has no classes.

    A class is a folder with clips at any depth, and there are two at least; folders called as
    splits have the classes inside.
    """
    folder = Path(root).expanduser().absolute() if root else None
    if folder is None or not folder.is_dir() or (folder / manifest).exists():
        return None
    listing = list_clips(folder)
    placed = [path.relative_to(folder).parts for path in listing.files]
    tops = {parts[0] for parts in placed if len(parts) > 1}
    has_splits = bool(tops) and all(top.lower() in SPLIT_NAMES for top in tops)
    depth = 1 + has_splits
    rows = [_row(parts, has_splits) for parts in placed if len(parts) > depth]
    if len({row["label"] for row in rows}) < 2:
        return None
    return folder, rows, _remarks(listing, manifest, len(placed) - len(rows))


def _row(parts: tuple[str, ...], has_splits: bool) -> dict[str, str]:
    row = {"path": "/".join(parts), "label": normalised(parts[int(has_splits)])}
    return row | ({"split": parts[0].lower()} if has_splits else {})


def _remarks(listing: Listing, manifest: str, num_loose: int) -> tuple[Remark, ...]:
    """Return how the labels came about, and what has none."""
    told = f"there is no {manifest}: the folder of each class is its label (path,label)"
    loose = f"{num_loose} clips lie in the folder of no class, and are passed over"
    lost = (Remark("passed over", loose),) if num_loose else ()
    return (Remark("class folders", told), *lost, *listing.remarks())
