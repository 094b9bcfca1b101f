"""Decode every clip once, on every core: its rate, length, peak and digest, or why it fails."""

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

CHUNK_FILES = 512
"""Files submitted at once, so that memory does not grow with their number."""


@dataclass(frozen=True)
class DecodedInfo:
    """One file: its rate in Hz, samples per channel, peak (full scale 1), and a digest.

    `digest` is the same for the same 16-bit samples at the same rate in any lossless format.
    `truncation` says what is missing of a truncated file; empty if nothing is.
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
    """Decode one file and measure it."""
    try:
        waveform = decode(path)
        short = truncation(path, len(waveform.samples))
    except (DataError, OSError) as error:
        return DecodeFailure(not path.exists(), str(error))
    # As 16-bit levels: the digest should not depend on the last bits of a decoder.
    levels = np.rint(waveform.samples * 32768).astype("<i4")
    digest = hashlib.sha256(levels.tobytes() + str(waveform.sample_rate).encode()).hexdigest()
    peak = float(np.abs(waveform.samples).max())
    return DecodedInfo(waveform.sample_rate, len(waveform.samples), peak, digest, short)


def probe_all(
    paths: Sequence[Path], report: Callable[[int, int], None]
) -> list[DecodedInfo | DecodeFailure]:
    """Probe all files, in order; `report` gets the number of files done and of all files."""
    probes: list[DecodedInfo | DecodeFailure] = []
    report(0, len(paths))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), CHUNK_FILES):
            for each in pool.map(probe, paths[start : start + CHUNK_FILES]):
                probes.append(each)
                report(len(probes), len(paths))
    return probes
