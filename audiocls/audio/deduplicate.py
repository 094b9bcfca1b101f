"""Copies: the same sound, whatever its file's name and format. What is tested is never heard.

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
from audiocls.audio.pack import open_pack, pack_folder
from audiocls.errors import DataError

Digests = NDArray[np.bytes_]
"""One a clip, (N,)."""


def sound_digests(table: ClipTable, fingerprint: str, sample_rate: int, cache: Path) -> Digests:
    """What each clip of `table` sounds like at `sample_rate` Hz, mixed down to one channel.

    Two are equal for files of the same samples: renamed, retagged, in another lossless format.
    Not for one recording at two rates, cut differently, or once through a lossy codec.

    Shape: → (N,), memory-mapped
    """
    pack = open_pack(table, fingerprint, sample_rate, cache)

    def make(file: Path) -> None:
        bounds = zip(pack.starts, pack.starts[1:], strict=False)
        digests = [hashlib.sha256(pack.samples[a:b].data).hexdigest()[:32] for a, b in bounds]
        np.save(file, np.array(digests, "S32"))

    name = pack_folder(cache, fingerprint, sample_rate).name
    return open_rows(cache / f"digests-{name}", "digests.npy", make)


def without_copies(split: Split, digests: Digests, excluded: NDArray[Any]) -> Split:
    """`split` without the clips that sound as one of those to `excluded` does.

    Shape: digests (N,), excluded (any number,) → a split of the N clips

    Raises:
        DataError: nothing is left to learn from or to validate on.
    """
    is_copy = np.isin(digests, excluded)
    train, val = split.train[~is_copy[split.train]], split.val[~is_copy[split.val]]
    if len(train) == 0 or len(val) == 0:
        raise DataError(
            "Pre-training has no clips of its own: all it was given are copies of those to be "
            "validated or tested on. Give it other recordings."
        )
    return replace(split, train=train, val=val)
