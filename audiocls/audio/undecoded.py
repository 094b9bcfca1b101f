"""Clips that are decoded whenever they are read, for data whose samples have no room on the disk.

Legend: N clips, T samples.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocls.atomic import build_cache
from audiocls.audio.clips import Clip, ClipTable
from audiocls.audio.pack import (
    PACK_SCHEMA,
    Pack,
    decoded_row,
    in_order,
    npy_bytes,
    require_no_errors,
)
from audiocls.errors import DataError


@dataclass(frozen=True)
class Undecoded:
    """Reads as the array of all samples that a pack holds, decoding one clip for each window."""

    clips: tuple[Clip, ...]
    sample_rate: int
    """Hz, resampled to."""
    starts: NDArray[np.int64]
    """(N + 1,), as of the pack."""

    def __getitem__(self, window: slice) -> NDArray[np.int16]:
        """Return the samples of a window within one clip. Shape: → (T,)"""
        number = int(np.searchsorted(self.starts, window.start, side="right")) - 1
        row = decoded_row(self.clips[number], self.sample_rate)
        if isinstance(row, DataError):
            raise row
        first = self.starts[number]
        return row[window.start - first : window.stop - first]

    def __len__(self) -> int:
        return int(self.starts[-1])


def open_undecoded(table: ClipTable, fingerprint: str, sample_rate: int, cache: Path) -> Pack:
    """Open `table`'s clips as `open_pack` does, keeping nothing but their lengths.

    Raises:
        DataError: clips cannot be decoded (twenty are listed).
    """
    folder = cache / f"lengths-{fingerprint}-{sample_rate}-v{PACK_SCHEMA}"
    build_cache(folder, partial(_make, table, sample_rate))
    starts = np.load(folder / "starts.npy")
    return Pack(Undecoded(table.clips, sample_rate, starts), starts)


def _make(table: ClipTable, sample_rate: int, folder: Path) -> None:
    errors: list[DataError] = []

    def lengths() -> Iterator[int]:
        with ThreadPoolExecutor() as pool:
            work = partial(decoded_row, sample_rate=sample_rate)
            for row in in_order(pool, work, table.clips):
                if isinstance(row, DataError):
                    errors.append(row)
                else:
                    yield len(row)

    starts = np.cumsum([0, *lengths()], dtype=np.int64)
    require_no_errors(errors, len(table.clips))
    (folder / "starts.npy").write_bytes(npy_bytes(starts))
