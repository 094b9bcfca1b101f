"""Any folder of audio as clips without labels, for self-supervised pre-training."""

import hashlib
from pathlib import Path

import numpy as np

from audiocls.audio.clips import Clip, ClipTable, Split
from audiocls.audio.decode import FORMATS
from audiocls.audio.listing import list_clips
from audiocls.errors import DataError

VAL_PERCENT = 10
"""Share of the clips to validate on, chosen by the hash of their names."""


def unlabelled_table(folder: Path, key: str = "ssl.clips", fewest: int = 2) -> ClipTable:
    """List every audio file below `folder` that is not hidden, in the order of paths.

    Raises:
        DataError: it is no folder, or holds fewer than `fewest` audio files; the message names the
            option `key` that the folder came from.
    """
    root = folder.expanduser().absolute()
    listing = list_clips(root)
    files = {path.relative_to(root).as_posix(): path for path in listing.files}
    if len(files) < fewest:
        raise DataError(
            f"{key}: got {len(files)} audio files below {folder}, allowed: a folder of {fewest} or "
            f"more, such as {', '.join(FORMATS)}."
            + "".join(f" {remark.text}." for remark in listing.remarks())
        )
    clips = (Clip(name, files[name], (0,), name, split=_side(name)) for name in sorted(files))
    return ClipTable(tuple(clips), ("unlabelled",), (1,), remarks=listing.remarks())


def unlabelled_split(table: ClipTable) -> Split:
    """Split into clips to train on and, about one in ten, to validate on; none to test on.

    Shape: → three of (N_split,) int64
    """
    sides = np.array([clip.split for clip in table.clips])
    train, val = (np.flatnonzero(sides == side) for side in ("train", "val"))
    if len(val) == 0:  # by chance, in a small folder
        train, val = train[1:], train[:1]
    return Split(train, val, np.array([], np.int64))


def _side(name: str) -> str:
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 100
    return "val" if draw < VAL_PERCENT else "train"
