"""From right and wrong answers of simulated studies to what decision rules are given.

Legend: N studies, A arms without the baseline, S seeds, K folds, R recordings of a fold, M clips
of a recording.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from parts import Parts, parts_of

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Differences:
    """Arm − baseline: of each trial's accuracy, and of what recordings add to it."""

    trials: Array
    """(N, A, S, K)."""
    influences: Array
    """(N, A, S, K·R)."""
    folds: NDArray[np.int64]
    """(K·R,)."""
    ratio: float
    """Test clips per training clip."""

    @property
    def parts(self) -> Parts:
        return parts_of(self.trials, self.influences, self.folds)

    @property
    def pair_ratio(self) -> float:
        """As the present rule has it: 0 on one fold."""
        return self.ratio if self.trials.shape[-1] > 1 else 0.0

    def shifted(self, effect: float) -> "Differences":
        """The same studies with an effect, in units of the metric."""
        return Differences(self.trials + effect, self.influences, self.folds, self.ratio)

    def first(self, num_seeds: int) -> "Differences":
        """The studies as they stood after so many seeds."""
        return Differences(
            self.trials[:, :, :num_seeds], self.influences[:, :, :num_seeds], self.folds, self.ratio
        )


def differences(correct: Array, ratio: float) -> Differences:
    """Return those of every arm against the first.

    Shape: (N, 1 + A, S, K, R, M) →
    """
    num_folds, num_recordings = correct.shape[3:5]
    by_recording = (correct[:, 1:] - correct[:, :1]).mean(axis=-1)
    trials = by_recording.mean(axis=-1)
    influences = (by_recording - trials[..., None]) / num_recordings
    flat = influences.reshape(*trials.shape[:-1], num_folds * num_recordings)
    return Differences(trials, flat, np.repeat(np.arange(num_folds), num_recordings), ratio)
