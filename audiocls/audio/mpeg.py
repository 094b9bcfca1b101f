"""MPEG audio (MP1, MP2, MP3): the samples that a file announces, and its decoder kept quiet."""

import mmap
import os
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_RATES = ((44100, 48000, 32000), (22050, 24000, 16000), (11025, 12000, 8000))
"""Hz, of MPEG 1, 2 and 2.5 (ISO/IEC 11172-3 and 13818-3)."""
_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by generation (2 stands for 2.5 too) and layer, from the index 1 on."""
_SUFFIXES = (".mp1", ".mp2", ".mp3", ".mpga")
"""Endings by which libsndfile tries MPEG audio, whatever a file holds."""
_HEAD_BYTES = 4
_LONGEST_SEARCH = 1 << 16
"""Bytes from the beginning, or from the end of its tag, in which a first frame must be."""


@dataclass(frozen=True)
class _Frame:
    """The header of one frame; `num_bytes` with it, `side_bytes` before Xing's tag."""

    kind: tuple[int, int, int]
    """Generation, layer and rate, which all frames of a file share."""
    num_bytes: int
    num_samples: int
    side_bytes: int


@dataclass(frozen=True)
class MpegLength:
    """Samples per channel: `announced` by a tag of Xing's or Fraunhofer's (0: none), and `held`."""

    announced: int
    held: int
    frame_samples: int


def is_mpeg(path: Path) -> bool:
    """Whether a file begins as MPEG audio, with or without an ID3 tag."""
    try:
        with path.open("rb") as file:
            head = file.read(3)
    except OSError:
        return False
    return head == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0)


def mpeg_length(path: Path) -> MpegLength | None:
    """Return the length in samples that the frames have; none for what has no frames."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = _after_tag(content)
        first = _next_frame(content, start, None, start + _LONGEST_SEARCH)
        if first is None:
            return None
        at, frame = first
        count = _announced_frames(content[at : at + frame.num_bytes], frame.side_bytes)
        num_frames = _count_frames(content, at, frame) - (count is not None)
        num_samples = frame.num_samples
        return MpegLength((count or 0) * num_samples, num_frames * num_samples, num_samples)


def _after_tag(content: mmap.mmap) -> int:
    """Return where an ID3v2 tag ends; 0 if there is none."""
    if content[:3] != b"ID3" or len(content) < 10:
        return 0
    size = sum(
        (byte & 0x7F) << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True)
    )
    return 10 + size + 10 * bool(content[5] & 0x10)


def _next_frame(
    content: mmap.mmap, at: int, like: _Frame | None, end: int
) -> tuple[int, _Frame] | None:
    """Return the first frame from `at` on that another one of its kind follows, or the end."""
    while (at := content.find(b"\xff", at, end)) >= 0:
        frame = _parsed(content[at : at + _HEAD_BYTES])
        if frame is not None and (like is None or frame.kind == like.kind):
            after = at + frame.num_bytes
            following = _parsed(content[after : after + _HEAD_BYTES])
            is_last = after >= len(content) or content[after : after + 3] == b"TAG"
            if is_last or (following is not None and following.kind == frame.kind):
                return at, frame
        at += 1
    return None


def _count_frames(content: mmap.mmap, at: int, first: _Frame) -> int:
    """Count all whole frames of the kind of the first, also those after a damaged part."""
    count, size = 0, len(content)
    while at < size:
        frame = _parsed(content[at : at + _HEAD_BYTES])
        if frame is not None and frame.kind == first.kind:
            at += frame.num_bytes
            count += at <= size
        elif (later := _next_frame(content, at, first, size)) is not None:
            at = later[0]
        else:
            break
    return count


def _parsed(head: bytes) -> _Frame | None:
    """Return the frame of a header; none if it is no header, or one of a free bit rate."""
    if len(head) < _HEAD_BYTES or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    generation = {3: 0, 2: 1, 0: 2}[version]
    sample_rate = _RATES[generation][rate]
    kbps = _KBPS[1 if generation == 0 else 2, layer][bits - 1]
    num_samples = 384 if layer == 1 else 1152 if layer == 2 or generation == 0 else 576
    slot = 4 if layer == 1 else 1
    num_bytes = (num_samples // 8 * kbps * 1000 // sample_rate // slot + padding) * slot
    is_mono = head[3] >> 6 == 3
    side_bytes = (17 if is_mono else 32) if generation == 0 else (9 if is_mono else 17)
    return _Frame((generation, layer, rate), num_bytes, num_samples, _HEAD_BYTES + side_bytes)


def _announced_frames(first: bytes, side_bytes: int) -> int | None:
    """Return the frames that a first frame counts, 0 if it does not; none without such a tag."""
    tag = first[side_bytes:]
    if tag[:4] in (b"Xing", b"Info"):
        has_count = len(tag) >= 12 and tag[7] & 1
        return int(struct.unpack(">I", tag[8:12])[0]) if has_count else 0
    if first[36:40] == b"VBRI" and len(first) >= 54:
        return int(struct.unpack(">I", first[50:54])[0])
    return None


class _Silence:
    """Standard error turned off while any thread is inside; what Python writes there goes on."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._saved = -1
        self._python: TextIO | None = None
        self._own: TextIO | None = None

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            self._saved, self._python = os.dup(2), sys.stderr
            if _fileno(self._python) == 2:
                self._python.flush()
                sys.stderr = self._stream()
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 2)
            os.close(nothing)

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside:
                return
            os.dup2(self._saved, 2)
            os.close(self._saved)
            if self._own is not None and sys.stderr is self._own:
                self._own.flush()
                sys.stderr = self._python

    def _stream(self) -> TextIO:
        """Return a stream to where standard error leads now; one, which other threads may hold."""
        if self._own is None:
            self._own = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
        else:
            os.dup2(2, self._own.fileno())
        return self._own


_SILENCE = _Silence()


@contextmanager
def silenced_decoder(path: Path) -> Iterator[None]:
    """Keep what libmpg123 prints about a damaged file, without its name, from the terminal."""
    if path.suffix.lower() not in _SUFFIXES and not is_mpeg(path):
        yield
        return
    _SILENCE.enter()
    try:
        yield
    finally:
        _SILENCE.leave()


def _fileno(stream: TextIO) -> int:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return -1
