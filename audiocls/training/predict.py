"""Labels of audio files of any sample rate, length and number of channels; without torch.

Legend: W windows, T samples, K classes.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.listing import Listing, list_clips
from audiocls.audio.stream import windows
from audiocls.errors import DataError

WINDOWS_AT_ONCE = 16
"""Windows per forward pass, which bounds memory."""


class Predictor(Protocol):
    """Whatever labels windows of audio: a checkpoint, or an exported file."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the probabilities."""

    @property
    def sample_rate(self) -> int:
        """Of the waveforms that go in, in Hz."""

    @property
    def num_samples(self) -> int:
        """T: samples per window."""

    @property
    def is_multi_label(self) -> bool:
        """Whether a clip may have several labels."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Caveats for people."""

    def probabilities(self, waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return each label's probability in each window. Shape: (W, T) → (W, K)"""


@dataclass(frozen=True)
class Window:
    """A span of a file, in seconds from its beginning, and every label's probability."""

    start_s: float
    end_s: float
    """End of the audio; zero-padding of the last window is not counted."""
    probabilities: dict[str, float]

    def likeliest(self, most: int, least: float = 0.0) -> list[tuple[str, float]]:
        """Return up to `most` (label, probability) of at least `least`, the likeliest first."""
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return [item for item in ranked[:most] if item[1] >= least]


@dataclass(frozen=True)
class Prediction:
    """The probabilities of one file, as a whole and, if requested, per window."""

    file: Path
    whole: Window
    windows: tuple[Window, ...] = ()

    @property
    def label(self) -> str:
        """The likeliest label."""
        return self.whole.likeliest(1)[0][0]

    @property
    def probability(self) -> float:
        """Probability of the likeliest label."""
        return self.probabilities[self.label]

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of every label, over the whole file."""
        return self.whole.probabilities


def predict(predictor: Predictor, file: Path, keep_windows: bool = False) -> Prediction:
    """Classify one file of any length, in bounded memory.

    A file longer than the clips of training is cut into windows of that length, the last one
    padded with zeros, and the windows' probabilities are averaged. Probabilities of a file sum to
    1, unless the predictor was trained on clips of several labels each.

    Args:
        keep_windows: whether to return each window's probabilities as well.

    Raises:
        DataError: the file cannot be decoded; the message names it.
    """
    total, num_windows, length_s = np.zeros(len(predictor.labels)), 0, 0.0
    kept: list[Window] = []
    for spans, probabilities in _scored(predictor, file):
        total += probabilities.sum(0)
        num_windows += len(spans)
        length_s = spans[-1][1]
        if keep_windows:
            rows = zip(spans, probabilities, strict=True)
            kept += [Window(*span, _by_label(predictor, row)) for span, row in rows]
    whole = Window(0.0, length_s, _by_label(predictor, total / num_windows))
    return Prediction(file, whole, tuple(kept))


def predict_files(
    predictor: Predictor,
    paths: Iterable[Path],
    keep_windows: bool,
    on_error: Callable[[str], None],
) -> Iterator[Prediction]:
    """Yield a prediction per file, of files and of all audio in folders, in order.

    Args:
        on_error: called with the message of each path that cannot be read or is passed over; the
            others follow.
    """
    for path in paths:
        try:
            listing = audio_files(path)
        except DataError as error:
            on_error(str(error))
            continue
        for name in listing.passed_over:
            on_error(f"{path}: passed over {name}")
        for file in listing.files:
            try:
                yield predict(predictor, file, keep_windows)
            except DataError as error:
                on_error(str(error))


def audio_files(path: Path) -> Listing:
    """Return a file itself, or every audio file in a folder at any depth, sorted.

    Raises:
        DataError: the folder holds none.
    """
    if not path.is_dir():
        return Listing((path,))
    listing = list_clips(path)
    if not listing.files:
        why = "".join(f" {remark.text}." for remark in listing.remarks())
        raise DataError(
            f"{path}: got a folder without .wav, .flac, .ogg, .mp3 or other audio files in it.{why}"
        )
    return listing


def _scored(
    predictor: Predictor, file: Path
) -> Iterator[tuple[list[tuple[float, float]], NDArray[np.float64]]]:
    """Yield the spans of some windows, in seconds, and their probabilities.

    Shape: → W spans, probabilities (W, K)
    """
    rate, start = predictor.sample_rate, 0
    for waveforms in _chunks(windows(file, rate, predictor.num_samples)):
        # Counted in samples and divided once, so that seconds do not accumulate rounding errors.
        bounds = np.cumsum([start, *map(len, waveforms)])
        start = int(bounds[-1])
        spans = list(pairwise((bounds / rate).tolist()))
        yield spans, predictor.probabilities(_padded(waveforms, predictor.num_samples))


def _chunks(waveforms: Iterator[NDArray[np.float32]]) -> Iterator[list[NDArray[np.float32]]]:
    """Yield `WINDOWS_AT_ONCE` windows at a time. Shape: each (at most T,)"""
    while chunk := list(itertools.islice(waveforms, WINDOWS_AT_ONCE)):
        yield chunk


def _padded(waveforms: list[NDArray[np.float32]], num_samples: int) -> NDArray[np.float32]:
    """Return the windows, padded with zeros at the end. Shape: each (at most T,) → (W, T)"""
    rows = np.zeros((len(waveforms), num_samples), np.float32)
    for row, waveform in zip(rows, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return rows


def _by_label(predictor: Predictor, probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Return probabilities by label. Shape: probabilities (K,)"""
    return dict(zip(predictor.labels, probabilities.tolist(), strict=True))
