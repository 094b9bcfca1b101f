"""Files of any length in bounded memory: decoded, resampled and cut block by block.

Legend: T samples.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.decode import Stream, Waveform, stream
from audiocls.audio.pack import resampled

CHUNK_SAMPLES = 1 << 18
"""Samples resampled at once, about."""
FILTER_REACH = 12
"""Samples of the slower rate that the resampling filters hear to each side: 7 or 11, and one."""


def windows(path: Path, sample_rate: int, num_samples: int) -> Iterator[NDArray[np.float32]]:
    """The whole file at `sample_rate` Hz in windows of `num_samples`; the last may be shorter.

    Equal to cutting up what `resampled(decode(path), sample_rate)` gives: no window hears where
    a block began.

    Raises:
        DataError: as `decode` does, some of it only when the window concerned is asked for.

    Shape: → windows of (T,), the last of at most T
    """
    rest = np.empty(0, np.float32)
    for block in resampled_blocks(stream(path), sample_rate):
        rest = np.concatenate([rest, block])
        num_whole = len(rest) // num_samples
        yield from rest[: num_whole * num_samples].reshape(num_whole, num_samples)
        rest = rest[num_whole * num_samples :]
    if len(rest):
        yield rest


def resampled_blocks(sound: Stream, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    """Each portion is resampled with as much of its neighbours as the filter can hear.

    Portions begin at whole periods of the two rates, where the filter's phases begin again.

    Shape: → blocks of (T,)
    """
    if sound.sample_rate == sample_rate:
        yield from sound.blocks
        return
    divisor = math.gcd(sound.sample_rate, sample_rate)
    period, periods_out = sound.sample_rate // divisor, sample_rate // divisor
    slowest = max(1.0, period / periods_out)
    reach = math.ceil(FILTER_REACH * slowest / period) * period
    portion = max(reach, CHUNK_SAMPLES // period * period)
    held, before = np.empty(0, np.float32), 0
    for block in sound.blocks:
        held = np.concatenate([held, block])
        while len(held) >= before + portion + reach:
            heard = Waveform(held[: before + portion + reach], sound.sample_rate)
            first, end = (n // period * periods_out for n in (before, before + portion))
            yield resampled(heard, sample_rate)[first:end]
            held, before = held[before + portion - reach :], reach
    yield resampled(Waveform(held, sound.sample_rate), sample_rate)[
        before // period * periods_out :
    ]
