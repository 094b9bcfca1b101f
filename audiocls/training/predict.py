"""Labels for any audio file: any rate, any length, any number of channels.

Legend: W windows, T samples, K classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.decode import FORMATS
from audiocls.audio.stream import windows
from audiocls.errors import DataError
from audiocls.training.checkpoint import Checkpoint

WINDOWS_AT_ONCE = 16


@dataclass(frozen=True)
class Window:
    """A stretch of a file, in seconds from its beginning, and every label's probability."""

    start_s: float
    end_s: float
    probabilities: dict[str, float]

    def likeliest(self, most: int, least: float = 0.0) -> list[tuple[str, float]]:
        """At most `most` labels of a probability of at least `least`, the likeliest first."""
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return [item for item in ranked[:most] if item[1] >= least]


@dataclass(frozen=True)
class Prediction:
    """What one file is, as a whole and, if that was asked for, window by window."""

    file: Path
    whole: Window
    windows: tuple[Window, ...] = ()

    @property
    def label(self) -> str:
        """The likeliest."""
        return self.whole.likeliest(1)[0][0]

    @property
    def probability(self) -> float:
        """Of the likeliest label."""
        return self.probabilities[self.label]

    @property
    def probabilities(self) -> dict[str, float]:
        return self.whole.probabilities


def predict(checkpoint: Checkpoint, file: Path, keep_windows: bool = False) -> Prediction:
    """Classify one file, however long, in bounded memory.

    A file longer than the clips of training is cut into windows of that length, the last of them
    padded with zeros, and the windows' probabilities are averaged. Labels exclude each other,
    unless the checkpoint was trained on clips of several labels each.

    Raises:
        DataError: the file cannot be decoded; the message names it.
    """
    total, num_windows, length_s = torch.zeros(len(checkpoint.labels), dtype=torch.float64), 0, 0.0
    kept: list[Window] = []
    for spans, probabilities in _scored(checkpoint, file):
        total += probabilities.double().sum(0)
        num_windows += len(spans)
        length_s = spans[-1][1]
        if keep_windows:
            rows = zip(spans, probabilities, strict=True)
            kept += [Window(*span, _named(checkpoint, row)) for span, row in rows]
    whole = Window(0.0, length_s, _named(checkpoint, total / num_windows))
    return Prediction(file, whole, tuple(kept))


def audio_files(path: Path) -> list[Path]:
    """A file as it is; of a folder, every audio file in it at any depth, in order.

    Raises:
        DataError: the folder holds none.
    """
    if not path.is_dir():
        return [path]
    suffixes = {f".{name}" for name in FORMATS}
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes)
    if not found:
        raise DataError(f"{path}: got a folder without {', '.join(sorted(suffixes))} files in it.")
    return found


def _scored(
    checkpoint: Checkpoint, file: Path
) -> Iterator[tuple[list[tuple[float, float]], Tensor]]:
    """Some windows' spans in seconds, and their probabilities.

    Shape: → (W spans, (W, K))
    """
    rate, start = checkpoint.config.data.sample_rate, 0
    for waves in _portions(windows(file, rate, checkpoint.num_samples)):
        bounds = np.cumsum([start, *map(len, waves)])
        start = int(bounds[-1])
        spans = list(pairwise((bounds / rate).tolist()))
        yield spans, _probabilities(checkpoint, _padded(waves, checkpoint.num_samples))


@torch.inference_mode()
def _probabilities(checkpoint: Checkpoint, waves: Tensor) -> Tensor:
    """Shape: (W, T) → (W, K)."""
    logits: Tensor = checkpoint.classifier(checkpoint.front_end(waves))
    return logits.sigmoid() if checkpoint.is_multi_label else logits.softmax(1)


def _portions(waves: Iterator[NDArray[np.float32]]) -> Iterator[list[NDArray[np.float32]]]:
    portion: list[NDArray[np.float32]] = []
    for wave in waves:
        portion.append(wave)
        if len(portion) == WINDOWS_AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion


def _padded(waves: list[NDArray[np.float32]], num_samples: int) -> Tensor:
    """Shape: waves of at most T → (W, T)."""
    rows = torch.zeros(len(waves), num_samples)
    for row, wave in zip(rows, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave)
    return rows


def _named(checkpoint: Checkpoint, probabilities: Tensor) -> dict[str, float]:
    return dict(zip(checkpoint.labels, probabilities.tolist(), strict=True))
