"""Decoding audio files to mono waveforms by soundfile (libsndfile), whole or in blocks.

Legend: T samples, C channels.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from audiocls.audio.mpeg import silenced_decoder
from audiocls.audio.regular_file import require_file, unusable
from audiocls.errors import DataError

FORMATS = ("wav", "flac", "ogg", "mp3")
LOWEST_RATE, HIGHEST_RATE = 100, 1_000_000
"""Hz; beyond them a header is damaged, and resampling would take gigabytes or hours."""
COARSE_RATE, RATE_STEP = 400_000, 100
"""Hz; rates above the first are multiples of the second: filters of others take gigabytes."""
MOST_VALUES = 1 << 29
"""Samples of all channels that a clip may have, 2 GiB: three hours at 48 kHz."""
_SALVAGE_FRAMES = 256
"""Samples per channel read at once from a damaged file: at most these are lost."""
_STREAMED_FRAMES = 1 << 18
"""Samples per channel read at once from a long file, 2 MiB in stereo; a multiple of the above."""
_SLACK_FRAMES = 4 * 1152
"""Samples per channel by which a lossy format may hold less than announced: four MP3 frames."""
_PREROLL_FRAMES = 1 << 14
"""Samples per channel read before a segment: an MP3 frame needs up to nine before it."""
_SLACK_S = 0.1
"""Seconds by which a segment may end after its recording: annotations are rounded."""
_UNKNOWN_FRAMES = 1 << 62
"""From here on libsndfile's count means that the file does not say."""
_UNDECODABLE = (
    sf.SoundFileError,
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    AssertionError,
    ArithmeticError,
    LookupError,
    MemoryError,
)
"""What soundfile and its C library raise for a file: one must not end the others' turn."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """`samples` (T,) float32, mono, full scale ±1, finite; `sample_rate` in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int
    is_partial: bool = False
    """Whether decoding failed before the end of the file."""
    cancelled_db: float = 0.0
    """How much quieter the mean of the channels is than that of unrelated ones as loud."""


@dataclass(frozen=True, eq=False)
class Stream:
    """A file's mono samples in `blocks` of (T,), decoded lazily, once; `sample_rate` in Hz."""

    blocks: Iterator[NDArray[np.float32]]
    sample_rate: int


def supported_formats() -> dict[str, bool]:
    """Return which of wav, flac, ogg and mp3 the installed libsndfile reads (mp3 needs 1.1)."""
    available = sf.available_formats()
    return {name: name.upper() in available for name in FORMATS}


def decode(path: str | PathLike[str], span_s: tuple[float, float] | None = None) -> Waveform:
    """Decode the file at its own rate; channels are averaged to mono, silence is valid.

    `span_s` is where to begin and to end in seconds, by default the whole file. A truncated file
    gives the samples that libsndfile still finds: those present of a WAV whose header announces
    more, the intact beginning of a FLAC.

    Raises:
        DataError: the path is missing, no file, unreadable, empty or no audio, or it holds no
            samples, too many for memory, NaN or infinity, has an absurd rate, or ends before the
            span begins.

    Shape: → samples (T,)
    """
    path = Path(path)
    require_file(path)
    samples, sample_rate, is_partial = _read_span(path, *span_s) if span_s else _read(path)
    if not len(samples):
        raise _no_samples(path)
    mono = _mono(samples)
    _check_finite(path, mono)
    return Waveform(mono, sample_rate, is_partial, _cancelled_db(samples, mono))


def stream(path: str | PathLike[str]) -> Stream:
    """Decode block by block to the samples that `decode` gives: for files too long to hold.

    Raises:
        DataError: as `decode` does; errors in the samples (none at all, NaN, infinity) are raised
            while iterating over the blocks.

    Shape: → blocks of (T,)
    """
    path = Path(path)
    require_file(path)
    with _opened(path) as file:
        return Stream(_mono_blocks(path), file.samplerate)


def _mono_blocks(path: Path) -> Iterator[NDArray[np.float32]]:
    """Decode block by block, checked and mono. Shape: → blocks of (T,)"""
    num_before = 0
    for block in _blocks(path):
        mono = _mono(block)
        _check_finite(path, mono, num_before)
        num_before += len(mono)
        yield mono
    if not num_before:
        raise _no_samples(path)


def _blocks(path: Path) -> Iterator[NDArray[np.float32]]:
    """Read large blocks; where one fails, small ones up to the first of them that fails.

    Shape: → blocks of (T, C)
    """
    num_before = 0
    try:
        for block in _read_blocks(path, _STREAMED_FRAMES):
            num_before += len(block)
            yield block
    except _UNDECODABLE:
        yield from _salvaged_blocks(path, num_before)


def _salvaged_blocks(path: Path, num_known: int) -> Iterator[NDArray[np.float32]]:
    """Read small blocks after the first `num_known` samples, up to the first that fails.

    Shape: → blocks of (T, C)
    """
    # From the beginning again. `num_known` is a multiple of the small block, so that no sample is
    # lost or yielded twice where the two sizes meet.
    num_before = 0
    try:
        for block in _read_blocks(path, _SALVAGE_FRAMES):
            num_before += len(block)
            if num_before > num_known:
                yield block
    except _UNDECODABLE:
        return


def _read_blocks(path: Path, num_frames: int) -> Iterator[NDArray[np.float32]]:
    """Read blocks of `num_frames` frames, the last perhaps shorter. Shape: → blocks of (T, C)"""
    with _opened(path) as file:
        while True:
            with silenced_decoder(path):
                block = file.read(num_frames, dtype="float32", always_2d=True)
            if not len(block):
                return
            yield block


@contextmanager
def _opened(path: Path) -> Iterator[sf.SoundFile]:
    """Open a file of a sane rate; raise `DataError` for whatever hinders that."""
    try:
        with silenced_decoder(path):
            file = sf.SoundFile(path)
    except _UNDECODABLE as error:  # also a headerless *.raw; no permission to read
        raise _no_audio(path, error) from error
    with file:
        rate = file.samplerate
        is_sane = LOWEST_RATE <= rate <= HIGHEST_RATE
        if not is_sane or (rate > COARSE_RATE and rate % RATE_STEP):
            allowed = f"{LOWEST_RATE} to {HIGHEST_RATE} Hz, above {COARSE_RATE} Hz in hundreds"
            next_step = f"correct the header or remove the file; rates: {allowed}"
            raise unusable(path, f"a sampling rate of {rate} Hz in its header", next_step)
        yield file


def _mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average the channels.

    Shape: (T, C) → (T,), contiguous
    """
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(mono)


def _cancelled_db(samples: NDArray[np.float32], mono: NDArray[np.float32]) -> float:
    """Return by how many dB channels cancel in their mean; 0 for those that do not.

    The mean of C unrelated channels has the sum of their energies by C²; of one channel and its
    negative, which a plug wired wrongly gives, nothing is left.

    Shape: samples (T, C), mono (T,)
    """
    if samples.shape[1] == 1:
        return 0.0
    energy, left = (float(np.square(x, dtype=np.float64).sum()) for x in (samples, mono))
    expected = energy / samples.shape[1] ** 2
    if expected == 0:
        return 0.0
    return max(0.0, -10 * float(np.log10(max(left / expected, 1e-20))))


def _check_finite(path: Path, mono: NDArray[np.float32], num_before: int = 0) -> None:
    """Raise `DataError` for NaN and infinity, counting samples from `num_before`.

    Shape: mono (T,)
    """
    is_bad = ~np.isfinite(mono)
    if is_bad.any():
        first = num_before + int(is_bad.argmax())
        got = f"{is_bad.sum()} NaN or infinite samples, the first at sample {first}"
        raise unusable(path, got, "export the file again, as 16-bit PCM for instance")


def _read(path: Path) -> tuple[NDArray[np.float32], int, bool]:
    """Read the whole file, or what is intact.

    Shape: → ((T, C), rate in Hz, whether decoding stopped before the end); T may be 0
    """
    with _opened(path) as file:
        rate, channels, announced = file.samplerate, file.channels, file.frames
        with silenced_decoder(path):
            samples = _read_at_once(file)
    if samples is None:
        samples = _read_by_blocks(path, channels)
    is_partial = len(samples) + _SLACK_FRAMES < announced < _UNKNOWN_FRAMES
    return samples, rate, is_partial


def _read_span(path: Path, start_s: float, end_s: float) -> tuple[NDArray[np.float32], int, bool]:
    """Read a part of the file, up to its end at most.

    Shape: → ((T, C), rate in Hz, whether the file ends before the span does)
    """
    samples = np.empty((0, 1), np.float32)
    with _opened(path) as file:
        rate = file.samplerate
        first, end = round(start_s * rate), round(end_s * rate)
        with silenced_decoder(path), suppress(*_UNDECODABLE):
            start = max(0, first - _PREROLL_FRAMES)
            file.seek(start)
            samples = np.asarray(file.read(end - start, dtype="float32", always_2d=True))
            samples = samples[first - start :]
    if not len(samples):
        got = f"a segment from {start_s:g} to {end_s:g} s of a recording that ends before"
        raise unusable(path, got, "correct its start and end, in seconds")
    return samples, rate, len(samples) + round(_SLACK_S * rate) < end - first


def _read_at_once(file: sf.SoundFile) -> NDArray[np.float32] | None:
    """Read all samples, or return none where only blocks can be read. Shape: → (T, C)"""
    # libsndfile cannot seek in GSM 6.10, for one, and then soundfile reads blocks of a given size.
    if not file.seekable() or file.frames * file.channels > MOST_VALUES:
        return None
    try:
        return np.asarray(file.read(dtype="float32", always_2d=True))
    except _UNDECODABLE:
        return None  # a damaged middle


def _read_by_blocks(path: Path, channels: int) -> NDArray[np.float32]:
    """Read up to the first block that fails. Shape: → (T, C)"""
    blocks, num_values = [np.empty((0, channels), np.float32)], 0
    for block in _blocks(path):
        blocks.append(block)
        num_values += block.size
        if num_values > MOST_VALUES:
            got = f"more than {MOST_VALUES} samples, too many for a clip in memory"
            raise unusable(path, got, "cut it into clips (`audiocls predict` reads any length)")
    return np.concatenate(blocks)


def _no_samples(path: Path) -> DataError:
    got = f"no samples in {path.stat().st_size} bytes (truncated, a header only, or one never "
    got += "completed, whose size says 0)"
    return unusable(path, got, "record it again, or restore the header (sox --ignore-length)")


def _no_audio(path: Path, error: Exception) -> DataError:
    got = f"{path.stat().st_size} bytes that do not decode ({_reason(error)})"
    return unusable(path, got, "replace the file, or remove it from the data set")


def _reason(error: Exception) -> str:
    return str(error).strip(": ") or type(error).__name__
