"""Decoding audio files to mono waveforms by soundfile (libsndfile), whole or in blocks.

Legend: T samples, C channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from audiocls.errors import DataError

FORMATS = ("wav", "flac", "ogg", "mp3")
_ALLOWED = "readable wav, flac, ogg or mp3 files with at least one sample"
_SALVAGE_FRAMES = 256
"""Samples per channel read at once from a damaged file: at most these are lost."""
_STREAMED_FRAMES = 1 << 18
"""Samples per channel read at once from a long file, 2 MiB in stereo; a multiple of the above."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """`samples` (T,) float32, mono, full scale ±1, finite; `sample_rate` in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int


@dataclass(frozen=True, eq=False)
class Stream:
    """A file's mono samples in `blocks` of (T,), decoded lazily, once; `sample_rate` in Hz."""

    blocks: Iterator[NDArray[np.float32]]
    sample_rate: int


def supported_formats() -> dict[str, bool]:
    """Return which of wav, flac, ogg and mp3 the installed libsndfile reads (mp3 needs 1.1)."""
    available = sf.available_formats()
    return {name: name.upper() in available for name in FORMATS}


def is_audio_file(path: Path) -> bool:
    """Whether `path` is a file whose name ends as one of `FORMATS`, in any case."""
    return path.suffix.lower()[1:] in FORMATS and path.is_file()


def decode(path: str | PathLike[str]) -> Waveform:
    """Decode the whole file at its own rate; channels are averaged to mono, silence is valid.

    A truncated file gives the samples that libsndfile still finds: those present of a WAV whose
    header announces more, the intact beginning of a FLAC.

    Raises:
        DataError: the path is missing, a folder, unreadable, empty or no audio, or it holds no
            samples, NaN or infinity.

    Shape: → samples (T,)
    """
    path = Path(path)
    _check_is_file(path)
    samples, sample_rate = _read(path)
    if not len(samples):
        raise _no_samples(path)
    mono = _mono(samples)
    _check_finite(path, mono)
    return Waveform(mono, sample_rate)


def stream(path: str | PathLike[str]) -> Stream:
    """Decode block by block to the samples that `decode` gives: for files too long to hold.

    Raises:
        DataError: as `decode` does; errors in the samples (none at all, NaN, infinity) are raised
            while iterating over the blocks.

    Shape: → blocks of (T,)
    """
    path = Path(path)
    _check_is_file(path)
    try:
        with sf.SoundFile(path) as file:
            return Stream(_mono_blocks(path), file.samplerate)
    except (sf.LibsndfileError, TypeError, OSError) as error:
        raise _no_audio(path, error) from error


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
    except sf.LibsndfileError:
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
    except sf.LibsndfileError:
        return


def _read_blocks(path: Path, num_frames: int) -> Iterator[NDArray[np.float32]]:
    """Read blocks of `num_frames` frames, the last perhaps shorter. Shape: → blocks of (T, C)"""
    with sf.SoundFile(path) as file:
        while len(block := file.read(num_frames, dtype="float32", always_2d=True)):
            yield block


def _mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average the channels.

    Shape: (T, C) → (T,), contiguous
    """
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(mono)


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise _fault(path, "a folder", "name a file inside it")
    if not path.exists():
        raise _fault(path, "no such file", "check `data.root` and that the data set is complete")
    if path.stat().st_size == 0:
        raise _fault(path, "an empty file (0 bytes)", "download or record the file again")


def _check_finite(path: Path, mono: NDArray[np.float32], num_before: int = 0) -> None:
    """Raise `DataError` for NaN and infinity, counting samples from `num_before`.

    Shape: mono (T,)
    """
    is_bad = ~np.isfinite(mono)
    if is_bad.any():
        first = num_before + int(is_bad.argmax())
        got = f"{is_bad.sum()} NaN or infinite samples, the first at sample {first}"
        raise _fault(path, got, "export the file again, as 16-bit PCM for instance")


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    """Read the whole file, or what is intact. Shape: → ((T, C), rate in Hz); T may be 0"""
    try:
        with sf.SoundFile(path) as file:
            return file.read(dtype="float32", always_2d=True), file.samplerate
    except (sf.LibsndfileError, MemoryError):
        return _salvage(path)  # a damaged middle, or a header that announces terabytes
    except (TypeError, OSError) as error:  # headerless *.raw; no permission to read
        raise _no_audio(path, error) from error


def _salvage(path: Path) -> tuple[NDArray[np.float32], int]:
    """Read the blocks before the first that fails.

    Shape: → ((T, C), rate in Hz); T may be 0
    """
    blocks: list[NDArray[np.float32]] = []
    try:
        with sf.SoundFile(path) as file:
            blocks.append(np.empty((0, file.channels), np.float32))
            while len(block := file.read(_SALVAGE_FRAMES, dtype="float32", always_2d=True)):
                blocks.append(block)
    except sf.LibsndfileError as error:
        if not blocks:
            raise _no_audio(path, error) from error
    return np.concatenate(blocks), file.samplerate


def _no_samples(path: Path) -> DataError:
    got = f"no samples in {path.stat().st_size} bytes (truncated, or a header only)"
    return _fault(path, got, "download or record the file again")


def _no_audio(path: Path, error: Exception) -> DataError:
    got = f"{path.stat().st_size} bytes that do not decode ({str(error).strip(': ')})"
    return _fault(path, got, "replace the file, or remove it from the data set")


def _fault(path: Path, got: str, next_step: str) -> DataError:
    return DataError(f"{path}: got {got}; allowed are {_ALLOWED}; {next_step}.")
