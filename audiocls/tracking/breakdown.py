"""`ScoreBreakdown`: scores by class, confusions and misclassified clips of the test set.

Legend: K classes, T samples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class against the rest; None where a score is undefined."""

    label: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, eq=False)
class MisclassifiedClip:
    """A test clip whose predicted class is wrong and very probable to the model."""

    clip: str
    truth: str
    """Its class, or its classes joined by commas."""
    predicted: str
    probability: float
    """Of the predicted class."""
    wave: NDArray[np.float32]
    """(T,), in ±1."""


@dataclass(frozen=True, eq=False)
class ScoreBreakdown:
    """What one trial shows of its test clips."""

    classes: tuple[ClassScore, ...]
    confusion: NDArray[np.int64] | None
    """(K, K): the number of clips of each class (row) that are predicted as each class (column).

    None where a clip may have several classes, since no single class is predicted then. Confusions
    show in precision and recall, and in the misclassified clips.
    """
    misclassified: tuple[MisclassifiedClip, ...]
    """The most confident errors first."""
    sample_rate: int
    """Of the waves, in Hz."""

    def confused(self) -> list[tuple[str, str, int]]:
        """Return (true class, predicted class, number of clips) of every pair that occurs.

        Every class with itself is among them.
        """
        if self.confusion is None:
            return []
        shown = (self.confusion > 0) | np.eye(len(self.classes), dtype=bool)
        return [
            (self.classes[i].label, self.classes[j].label, int(self.confusion[i, j]))
            for i, j in np.argwhere(shown)
        ]
