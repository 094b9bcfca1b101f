"""Files of any length in bounded memory: decoded, resampled and cut into windows block by block.

Legend: T samples.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.decode import Stream, Waveform, stream
from audiocls.audio.pack import resample

CHUNK_SAMPLES = 1 << 18
"""Approximate number of samples resampled at once."""
FILTER_REACH = 12
"""Half the length of the resampling filters in samples of the lower rate, rounded up.

7 for the windowed sincs, 11 for scipy's, and one to spare.
"""


def windows(path: Path, sample_rate: int, num_samples: int) -> Iterator[NDArray[np.float32]]:
    """Cut the whole file at `sample_rate` Hz into windows of `num_samples`; the last may be short.

    Equal to cutting `resample(decode(path), sample_rate)`: borders of blocks leave no trace.

    Raises:
        DataError: as `decode` does, also while iterating.

    Shape: → windows of (T,), the last of at most T
    """
    rest = np.empty(0, np.float32)
    for block in resample_blocks(stream(path), sample_rate):
        rest = np.concatenate([rest, block])
        num_whole = len(rest) // num_samples
        yield from rest[: num_whole * num_samples].reshape(num_whole, num_samples)
        rest = rest[num_whole * num_samples :]
    if len(rest):
        yield rest


def resample_blocks(source: Stream, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    """Resample block by block to `sample_rate` Hz, equal to resampling the whole.

    Shape: → blocks of (T,)
    """
    if source.sample_rate == sample_rate:
        yield from source.blocks
        return
    # Each chunk is resampled together with `reach` samples of its neighbours, all that the filter
    # extends over, and the neighbours' part of the result is dropped. Chunks begin at multiples of
    # `period`, the smallest number of input samples that is a whole number of output samples:
    # there the filter's phases repeat, so that a chunk sees the phases it has within the whole.
    divisor = math.gcd(source.sample_rate, sample_rate)
    period, periods_out = source.sample_rate // divisor, sample_rate // divisor
    slowest = max(1.0, period / periods_out)
    reach = math.ceil(FILTER_REACH * slowest / period) * period
    chunk = max(reach, CHUNK_SAMPLES // period * period)
    held, before = np.empty(0, np.float32), 0  # `before`: samples of the chunk before, in `held`
    for block in source.blocks:
        held = np.concatenate([held, block])
        while len(held) >= before + chunk + reach:
            with_neighbours = Waveform(held[: before + chunk + reach], source.sample_rate)
            first, end = (n // period * periods_out for n in (before, before + chunk))
            yield resample(with_neighbours, sample_rate)[first:end]
            held, before = held[before + chunk - reach :], reach
    rest = resample(Waveform(held, source.sample_rate), sample_rate)
    yield rest[before // period * periods_out :]
