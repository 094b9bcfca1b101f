"""`ScoreBreakdown`: what the test clips show beyond the metrics, to look at and listen to.

Legend: K classes, T samples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassScore:
    """One class against the rest; what has no value there is None."""

    label: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, eq=False)
class Misheard:
    """A test clip that was taken, with great confidence, for what it is not."""

    clip: str
    truth: str
    """Its class, or its classes joined by commas."""
    heard: str
    """The class that it was taken for."""
    probability: float
    """Of that class."""
    wave: NDArray[np.float32]
    """(T,), in ±1."""


@dataclass(frozen=True, eq=False)
class ScoreBreakdown:
    """Once per trial, of the test clips alone."""

    classes: tuple[ClassScore, ...]
    confusion: NDArray[np.int64] | None
    """(K, K): how many clips of each class (row) were taken for each class (column).

    None where a clip may have several classes: there is no one class that it was taken for. What
    is confused then shows in the classes' precision and recall, and in the misheard clips.
    """
    misclassified: tuple[Misheard, ...]
    """The most confident errors first."""
    sample_rate: int
    """Of the waves, in Hz."""

    def confused(self) -> list[tuple[str, str, int]]:
        """True class, heard class, clips: every pair that occurs, and every class with itself."""
        if self.confusion is None:
            return []
        shown = (self.confusion > 0) | np.eye(len(self.classes), dtype=bool)
        return [
            (self.classes[i].label, self.classes[j].label, int(self.confusion[i, j]))
            for i, j in np.argwhere(shown)
        ]
