"""Every clip decoded once, on every core: what it is made of, or why it cannot be heard.

Legend: T samples.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiocls.audio.check.truncation import truncation
from audiocls.audio.decode import decode
from audiocls.errors import DataError

PORTION = 512
"""Files in hand at once, so that millions of them need no memory."""


@dataclass(frozen=True)
class DecodedInfo:
    """One file: its rate in Hz, samples a channel, peak (full scale 1), and a digest of its sound.

    `digest` is the same for the same 16-bit sound at the same rate in any lossless format.
    `truncation` says what a broken-off file lacks.
    """

    sample_rate: int
    num_samples: int
    peak: float
    digest: str
    truncation: str = ""

    @property
    def duration_s(self) -> float:
        return self.num_samples / self.sample_rate


@dataclass(frozen=True)
class DecodeFailure:
    """A file that is missing, or that does not decode, and why."""

    is_missing: bool
    why: str


def probe(path: Path) -> DecodedInfo | DecodeFailure:
    """Decode one file."""
    try:
        waveform = decode(path)
        short = truncation(path, len(waveform.samples))
    except (DataError, OSError) as error:
        return DecodeFailure(not path.exists(), str(error))
    levels = np.rint(waveform.samples * 32768).astype("<i4")
    digest = hashlib.sha256(levels.tobytes() + str(waveform.sample_rate).encode()).hexdigest()
    peak = float(np.abs(waveform.samples).max())
    return DecodedInfo(waveform.sample_rate, len(waveform.samples), peak, digest, short)


def probe_all(
    paths: Sequence[Path], report: Callable[[int, int], None]
) -> list[DecodedInfo | DecodeFailure]:
    """`probe` for each, in order; `report` gets how many are done, and of how many."""
    heard: list[DecodedInfo | DecodeFailure] = []
    report(0, len(paths))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), PORTION):
            for each in pool.map(probe, paths[start : start + PORTION]):
                heard.append(each)
                report(len(heard), len(paths))
    return heard
