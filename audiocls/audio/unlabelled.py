"""Any folder of audio as clips without labels, for self-supervision."""

import hashlib
from pathlib import Path

import numpy as np

from audiocls.audio.clips import Clip, ClipTable, Split
from audiocls.audio.decode import FORMATS
from audiocls.errors import DataError

VAL_PERCENT = 10


def unlabelled_table(folder: Path, key: str = "ssl.clips", fewest: int = 2) -> ClipTable:
    """Every audio file below `folder`, in the order of their paths; hidden ones are none.

    Raises:
        DataError: it is no folder, or holds fewer than `fewest` audio files; names the `key` that
            asked for it.
    """
    root = folder.expanduser().absolute()
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*") if _is_audio(file)}
    names = sorted(name for name in files if not _is_hidden(name))
    if len(names) < fewest:
        raise DataError(
            f"{key}: got {len(names)} audio files below {folder}, allowed: a folder of {fewest} or "
            f"more, ending in {', '.join(FORMATS)}."
        )
    clips = (Clip(name, files[name], (0,), name, split=_side(name)) for name in names)
    return ClipTable(tuple(clips), ("unlabelled",), (1,))


def unlabelled_split(table: ClipTable) -> Split:
    """Clips to learn from and, about one in ten, to validate on; none to test on."""
    sides = np.array([clip.split for clip in table.clips])
    train, val = (np.flatnonzero(sides == side) for side in ("train", "val"))
    if len(val) == 0:
        train, val = train[1:], train[:1]
    return Split(train, val, np.array([], np.int64))


def _is_audio(file: Path) -> bool:
    return file.suffix.lower()[1:] in FORMATS and file.is_file()


def _is_hidden(name: str) -> bool:
    """Such as the `._clip.wav` that macOS leaves beside each clip on other systems' disks."""
    return any(part.startswith(".") for part in name.split("/"))


def _side(name: str) -> str:
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 100
    return "val" if draw < VAL_PERCENT else "train"
