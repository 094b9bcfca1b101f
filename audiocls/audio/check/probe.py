"""Decode every clip once, on every core: its rate, length, peak and digest, or why it fails.

What was found is kept by the fingerprint of the data, so that a launch after a check, or after
another launch, decodes nothing for it.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from audiocls.atomic import write_text
from audiocls.audio.check.truncation import truncation
from audiocls.audio.clip_audio import file_of
from audiocls.audio.clips import Clip
from audiocls.audio.decode import Waveform, decode
from audiocls.audio.listing import shown
from audiocls.audio.pack import clipped_share, fault_behind, in_order
from audiocls.errors import DataError

SCHEMA = 1
"""Of what is kept; raise it whenever a probe measures something else."""


@dataclass(frozen=True)
class DecodedInfo:
    """One file: its rate in Hz, samples per channel, peak (full scale 1), and a digest.

    `digest` is the same for the same 16-bit samples at the same rate in any lossless format.
    `truncation` says what a file lacks of the length in its header, or holds beyond it; empty if
    nothing. `clipped` is the share of the energy beyond full scale, `cancelled_db` how much the
    channels cancel in their mean.
    """

    sample_rate: int
    num_samples: int
    peak: float
    digest: str
    truncation: str = ""
    clipped: float = 0.0
    cancelled_db: float = 0.0

    @property
    def duration_s(self) -> float:
        return self.num_samples / self.sample_rate


@dataclass(frozen=True)
class DecodeFailure:
    """A file that is missing, or that does not decode, and why."""

    is_missing: bool
    why: str


Report = Callable[[int, int], None]
"""Gets the number of clips done and of all clips."""


def probe_clip(clip: Clip) -> DecodedInfo | DecodeFailure:
    """Decode and measure one clip, which may be a segment of a file or a member of a shard."""
    try:
        with file_of(clip) as path:
            probed = probe(path, clip.segment)
    except DataError as error:
        return DecodeFailure(_is_missing(clip.path), str(error))
    if clip.member is None or isinstance(probed, DecodedInfo):
        return probed
    return DecodeFailure(probed.is_missing, probed.why.replace(str(path), clip.id))


def probe(path: Path, segment: tuple[float, float] | None = None) -> DecodedInfo | DecodeFailure:
    """Decode one file and measure it; raises `MachineFault` where the file is not at fault.

    `segment` is its part to decode, from start to end in seconds.
    """
    try:
        waveform = decode(path, segment)
        odd = _beyond_end(waveform, segment) if segment else truncation(path, waveform)
    except (DataError, OSError, ValueError, LookupError, MemoryError) as error:
        if (fault := fault_behind(error, path)) is not None:
            raise fault from error
        if isinstance(error, DataError):
            return DecodeFailure(_is_missing(path), str(error))
        return DecodeFailure(False, f"{shown(path)}: {error}")
    # As 16-bit levels: the digest should not depend on the last bits of a decoder.
    levels = np.rint(np.clip(waveform.samples, -1e4, 1e4) * 32768).astype("<i4")
    digest = hashlib.sha256(levels.tobytes() + str(waveform.sample_rate).encode()).hexdigest()
    return DecodedInfo(
        sample_rate=waveform.sample_rate,
        num_samples=len(waveform.samples),
        peak=float(np.abs(waveform.samples).max()),
        digest=digest,
        truncation=odd,
        clipped=clipped_share(waveform.samples),
        cancelled_db=waveform.cancelled_db,
    )


def _beyond_end(waveform: Waveform, segment: tuple[float, float]) -> str:
    """Return in words that a recording ends before its segment does, or nothing."""
    if not waveform.is_partial:
        return ""
    start_s, end_s = segment
    there_s = start_s + len(waveform.samples) / waveform.sample_rate
    return f"ends at {there_s:.2f} s, its segment at {end_s:g} s"


def probe_all(clips: Sequence[Clip], report: Report) -> list[DecodedInfo | DecodeFailure]:
    """Probe all clips, in order; `report` gets the number of clips done and of all clips."""
    probes: list[DecodedInfo | DecodeFailure] = []
    report(0, len(clips))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for each in in_order(pool, probe_clip, clips):
            probes.append(each)
            report(len(probes), len(clips))
    return probes


def keep_probes(
    probes: Sequence[DecodedInfo | DecodeFailure], fingerprint: str, cache: Path
) -> None:
    """Keep what was found of the data of that fingerprint."""
    rows = [asdict(each) for each in probes]
    write_text(_kept(fingerprint, cache), json.dumps({"schema": SCHEMA, "probes": rows}))


def kept_probes(
    fingerprint: str, cache: Path, num_clips: int
) -> list[DecodedInfo | DecodeFailure] | None:
    """Return what was found of the data of that fingerprint before; none if it is not known."""
    try:
        content = json.loads(_kept(fingerprint, cache).read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA or len(content["probes"]) != num_clips:
            return None
        return [
            DecodeFailure(**row) if "why" in row else DecodedInfo(**row)
            for row in content["probes"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, or damaged: examined again


def _kept(fingerprint: str, cache: Path) -> Path:
    return cache / "checks" / f"{fingerprint}.json"


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists()
    except (OSError, ValueError):
        return False
