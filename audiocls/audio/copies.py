"""Copies: files of the same bytes, whatever their names. What will be tested is never heard."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.clips import ClipTable, Split
from audiocls.errors import DataError


def without_copies(table: ClipTable, split: Split, keep_out: Iterable[Path]) -> Split:
    """`split` of `table` without the clips whose files are copies of those to `keep_out`.

    Raises:
        DataError: nothing is left to learn from or to validate on.
    """
    forbidden = _contents(keep_out)

    def kept(clips: NDArray[np.int64]) -> NDArray[np.int64]:
        allowed = [i for i in clips if not _is_among(table.clips[i].path, forbidden)]
        return np.array(allowed, np.int64)

    left = replace(split, train=kept(split.train), val=kept(split.val))
    if len(left.train) == 0 or len(left.val) == 0:
        raise DataError(
            "Pre-training has no clips of its own: all it was given are copies of those to be "
            "validated or tested on. Give it other recordings."
        )
    return left


def _contents(files: Iterable[Path]) -> dict[int, set[bytes]]:
    """Size → digests: only files of a known size need to be read."""
    known: dict[int, set[bytes]] = {}
    for file in files:
        known.setdefault(file.stat().st_size, set()).add(_digest(file))
    return known


def _is_among(file: Path, known: dict[int, set[bytes]]) -> bool:
    digests = known.get(file.stat().st_size)
    return digests is not None and _digest(file) in digests


def _digest(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
