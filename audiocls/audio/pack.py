"""The pack: every clip of a data set decoded and resampled once, one memory-mapped int16 array.

All trials and processes share its pages. Samples beyond ±1 (lossy decoders overshoot) are clipped.

Legend: N clips, B batch, T samples.
"""

import errno
import io
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from audiocls.atomic import build_cache
from audiocls.audio.clip_audio import decode_clip
from audiocls.audio.clips import Clip, ClipTable
from audiocls.audio.decode import Waveform
from audiocls.errors import DataError, MachineFault
from audiocls.machine import disk, fault_of, reserve, writing

if TYPE_CHECKING:
    from audiocls.audio.undecoded import Undecoded

PACK_SCHEMA = 2
FULL_SCALE = 32768.0
"""int16 value of ±1, libsndfile's scale: a 16-bit WAV at its own rate is packed without loss."""
MOST_PHASES = 1000
"""Filters, one per phase, that may be held for a ratio of rates; see `resample`."""
SAMPLES = "samples.i16"
CHUNK_CLIPS = 512
"""Clips decoded before they are written."""
CHUNK_SAMPLES = 1 << 26
"""Samples from which fewer clips are written at once, 128 MiB: recordings may last hours."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Pack:
    """All clips of a data set at one rate, concatenated."""

    samples: "NDArray[np.int16] | Undecoded"
    """(sum of lengths,), memory-mapped, or decoded when they are read."""
    starts: NDArray[np.int64]
    """(N + 1,): clip i lies in `samples[starts[i] : starts[i + 1]]`."""

    def lengths(self, clips: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the lengths of clips in samples.

        Shape: clips (B,) → (B,)
        """
        return np.asarray(self.starts[clips + 1] - self.starts[clips])

    def waveforms(
        self, clips: NDArray[np.int64], num_samples: int, offsets: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Read `num_samples` of each clip from its offset, zero-padded after its end.

        Shape: clips (B,), offsets (B,) in samples → (B, T) in ±1
        """
        rows = np.zeros((len(clips), num_samples), np.int16)
        for row, clip, offset in zip(rows, clips, offsets, strict=True):
            begin = self.starts[clip] + offset
            window = self.samples[begin : min(begin + num_samples, self.starts[clip + 1])]
            row[: len(window)] = window
        return rows.astype(np.float32) / np.float32(FULL_SCALE)

    def centred(self, clips: NDArray[np.int64], num_samples: int) -> NDArray[np.float32]:
        """Read the middle `num_samples` of each clip, or a shorter one zero-padded at its end.

        Shape: clips (B,) → (B, T) in ±1
        """
        offsets = np.maximum(0, (self.lengths(clips) - num_samples) // 2)
        return self.waveforms(clips, num_samples, offsets)


def pack_folder(cache: Path, fingerprint: str, sample_rate: int) -> Path:
    """Return where the pack of one data set at one rate (Hz) lies."""
    return cache / f"pack-{fingerprint}-{sample_rate}-v{PACK_SCHEMA}"


def open_pack(table: ClipTable, fingerprint: str, sample_rate: int, cache: Path) -> Pack:
    """Open the pack of `table`'s clips at `sample_rate` Hz, writing it first if needed.

    A pack that is damaged on the disk is written again.

    Raises:
        DataError: clips cannot be decoded (twenty are listed).
        MachineFault: the disk has no room for it.
    """
    folder = pack_folder(cache, fingerprint, sample_rate)
    build_cache(folder, lambda beside: _make(table, sample_rate, beside))
    samples = np.memmap(folder / SAMPLES, np.int16, mode="r")
    return Pack(samples, np.load(folder / "starts.npy"))


def require_room(folder: Path, num_samples: int) -> None:
    """Raise `MachineFault` if a pack of `num_samples` is not there, and has no room on the disk."""
    num_bytes = num_samples * np.dtype(np.int16).itemsize
    if not folder.exists() and num_bytes > disk.free_bytes(folder):
        raise disk.fault(errno.ENOSPC, folder.parent, num_bytes)


def _make(table: ClipTable, sample_rate: int, folder: Path) -> None:
    """Decode on every core and write in order, with one chunk of the clips in memory."""
    row = partial(decoded_row, sample_rate=sample_rate)
    lengths: list[int] = []
    errors: list[DataError] = []
    num_clips = len(table.clips)
    with ThreadPoolExecutor(os.cpu_count()) as pool, (folder / SAMPLES).open("wb") as file:
        for rows in _chunks(in_order(pool, row, table.clips)):
            is_first = not lengths
            errors += [result for result in rows if isinstance(result, DataError)]
            chunk = [result for result in rows if not isinstance(result, DataError)]
            lengths += map(len, chunk)
            expected = sum(lengths) * num_clips // max(1, len(lengths))
            _write(file, chunk, folder, expected if is_first else sum(lengths))
        file.truncate()
    require_no_errors(errors, num_clips)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    (folder / "starts.npy").write_bytes(npy_bytes(starts))


def decoded_row(clip: Clip, sample_rate: int) -> NDArray[np.int16] | DataError:
    """Return a clip's samples at `sample_rate` Hz as 16 bits, or why it cannot be used.

    Raises `MachineFault` where the clip is not at fault.

    Shape: → (T,)
    """
    try:
        return _to_int16(resample(decode_clip(clip), sample_rate))
    except DataError as error:
        if fault := fault_behind(error, clip.path):
            raise fault from error
        return error


def require_no_errors(errors: Sequence[DataError], num_clips: int) -> None:
    """Raise `DataError` with the first twenty of `errors`, if there are any."""
    if errors:
        listed = "\n".join(f"  - {error}" for error in errors[:20])
        raise DataError(f"{len(errors)} of {num_clips} clips cannot be used:\n{listed}")


def in_order(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield `work` of each item, in order, a few items ahead: memory grows with none of them."""
    ahead: deque[Future[Result]] = deque()
    for item in items:
        ahead.append(pool.submit(work, item))
        if len(ahead) > 2 * (os.cpu_count() or 1):
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _chunks(
    rows: Iterable[NDArray[np.int16] | DataError],
) -> Iterator[list[NDArray[np.int16] | DataError]]:
    """Gather rows, at most `CHUNK_CLIPS` and about `CHUNK_SAMPLES` of them at once."""
    chunk: list[NDArray[np.int16] | DataError] = []
    num_samples = 0
    for row in rows:
        chunk.append(row)
        num_samples += 0 if isinstance(row, DataError) else len(row)
        if len(chunk) == CHUNK_CLIPS or num_samples >= CHUNK_SAMPLES:
            yield chunk
            chunk, num_samples = [], 0
    if chunk:
        yield chunk


def fault_behind(error: Exception, path: Path) -> MachineFault | None:
    """Return the machine's fault, if a clip is not at fault; libsndfile does not tell the two."""
    if (fault := fault_of(error)) is not None:
        return fault
    try:
        if path.is_file():  # opening a pipe would wait for its other end
            path.open("rb").close()
    except (OSError, ValueError) as system:
        return fault_of(system)
    return None


def _write(file: BinaryIO, chunk: list[NDArray[np.int16]], folder: Path, num_expected: int) -> None:
    """Append clips; with the first chunk the room is taken that all of them will need.

    Shape: chunk: some of (T,)
    """
    num_bytes = num_expected * np.dtype(np.int16).itemsize
    with writing(folder, num_bytes):
        if file.tell() == 0:
            reserve(file, num_bytes)
        for samples in chunk:
            file.write(samples.data)


def npy_bytes(array: NDArray[Any]) -> bytes:
    """Return the content of an .npy file: what numpy writes by itself tells no full disk.

    Shape: any
    """
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def resample(waveform: Waveform, sample_rate: int) -> NDArray[np.float32]:
    """Resample to `sample_rate` Hz, band-limited (windowed sinc).

    Shape: → (⌈T · new rate / old rate⌉,)
    """
    if waveform.sample_rate == sample_rate:
        return waveform.samples
    # There is a filter for every phase, of which there are rate / divisor: for rates without a
    # common divisor they would take gigabytes, and scipy's polyphase filter is used.
    divisor = math.gcd(waveform.sample_rate, sample_rate)
    if max(waveform.sample_rate, sample_rate) // divisor > MOST_PHASES:
        from scipy.signal import resample_poly

        up, down = sample_rate // divisor, waveform.sample_rate // divisor
        return np.asarray(resample_poly(waveform.samples, up, down), np.float32)
    import torch

    from audiocls.audio.resampling import resample_by_ratio

    given = torch.from_numpy(waveform.samples)
    samples = resample_by_ratio(given, waveform.sample_rate, sample_rate)
    return np.asarray(samples.numpy(), np.float32)


def clipped_share(samples: NDArray[np.float32]) -> float:
    """Return the energy that `_to_int16` cuts off beyond full scale, as a share of all energy.

    Shape: (T,) in ±1 → 0 … 1

    >>> clipped_share(np.array([0.5, -1.0], np.float32))
    0.0
    """
    loud = samples[np.abs(samples) > 1].astype(np.float64)
    if not len(loud):
        return 0.0
    total = float(np.square(samples, dtype=np.float64).sum())
    return float(np.square(np.abs(loud) - 1).sum()) / total


def _to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round to 16 bits; values beyond ±1 are clipped. Shape: (T,) in ±1 → (T,)"""
    scaled = np.rint(samples * FULL_SCALE)
    return np.asarray(np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1), np.int16)
