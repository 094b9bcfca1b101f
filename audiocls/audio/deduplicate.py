"""Exclude training clips whose audio also occurs in the validation or test set.

Duplicates are found by content, not by name or format.

Legend: N clips.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.clips import ClipTable, Split
from audiocls.audio.feature_cache import open_rows
from audiocls.audio.pack import npy_bytes, open_pack, pack_folder
from audiocls.errors import DataError

Digests = NDArray[np.bytes_]
"""One per clip, (N,)."""


def audio_digests(table: ClipTable, fingerprint: str, sample_rate: int, cache: Path) -> Digests:
    """Hash the samples of each clip of `table` at `sample_rate` Hz, mixed down to one channel.

    Equal for files of the same samples: renamed, retagged, in another lossless format. Not equal
    for one recording at two rates, cut differently, or once through a lossy codec.

    Shape: → (N,), memory-mapped
    """
    pack = open_pack(table, fingerprint, sample_rate, cache)

    def make(file: Path) -> None:
        bounds = zip(pack.starts, pack.starts[1:], strict=False)
        digests = [hashlib.sha256(pack.samples[a:b].data).hexdigest()[:32] for a, b in bounds]
        file.write_bytes(npy_bytes(np.array(digests, "S32")))

    name = pack_folder(cache, fingerprint, sample_rate).name
    return open_rows(cache / f"digests-{name}", "digests.npy", make)


def exclude_copies(split: Split, digests: Digests, excluded: NDArray[Any]) -> Split:
    """Return `split` without the training and validation clips whose digest is `excluded`.

    Raises:
        DataError: nothing is left to train or to validate on.

    Shape: digests (N,), excluded (any number,) → a split of the N clips
    """
    is_copy = np.isin(digests, excluded)
    train, val = split.train[~is_copy[split.train]], split.val[~is_copy[split.val]]
    if len(train) == 0 or len(val) == 0:
        raise DataError(
            "Pre-training has no clips left: all of them are copies of validation or test "
            "clips. Give it other recordings."
        )
    return replace(split, train=train, val=val)
