"""From right and wrong answers of simulated studies to what decision rules are given.

Legend: N studies, A arms without the baseline, S seeds, K folds, R recordings of a fold, M clips
of a recording.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audiocls.stats import FoldDifferences, VarianceComponents, components_of

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Differences:
    """Arm − baseline: of each trial's metric, and of what recordings add to it."""

    trials: Array
    """(N, A, S, K)."""
    influences: Array | None
    """(N, A, S, K, R); `None` where predictions are missing."""
    ratio: float
    """Test clips per training clip."""
    step: float
    """The smallest change of the metric on a fold; 0 if unknown."""

    @cached_property
    def components(self) -> VarianceComponents:
        return components_of([self._on(fold) for fold in range(self.num_folds)], self.step)

    def _on(self, fold: int) -> FoldDifferences:
        known = None if self.influences is None else self.influences[..., fold, :]
        return FoldDifferences(self.trials[..., fold], known)

    @property
    def num_arms(self) -> int:
        return int(self.trials.shape[1])

    @property
    def num_seeds(self) -> int:
        return int(self.trials.shape[2])

    @property
    def num_folds(self) -> int:
        return int(self.trials.shape[3])

    @property
    def pair_ratio(self) -> float:
        """As the retired rule has it: 0 on one fold."""
        return self.ratio if self.num_folds > 1 else 0.0

    def shifted(self, effect: float) -> "Differences":
        """The same studies with an effect, in units of the metric."""
        return replace(self, trials=self.trials + effect)

    def first(self, num_seeds: int) -> "Differences":
        """The studies as they stood after so many seeds."""
        known = None if self.influences is None else self.influences[:, :, :num_seeds]
        return replace(self, trials=self.trials[:, :, :num_seeds], influences=known)

    def of(self, studies: NDArray[np.bool_], arms: NDArray[np.bool_]) -> "Differences":
        """Some of the studies and arms. Shape: (N,), (A,) →"""
        known = None if self.influences is None else self.influences[studies][:, arms]
        return replace(self, trials=self.trials[studies][:, arms], influences=known)

    def without_predictions(self) -> "Differences":
        return replace(self, influences=None)

    def contrasted(self, weights: Array) -> "Differences":
        """Contrasts of the arms, the baseline having what is missing to a sum of 0.

        Shape: weights (contrasts, A) →
        """
        known = None
        if self.influences is not None:
            known = np.einsum("ca,naskr->ncskr", weights, self.influences, optimize=True)
        trials = np.einsum("ca,nask->ncsk", weights, self.trials)
        return replace(self, trials=trials, influences=known)


def differences(correct: Array, ratio: float) -> Differences:
    """Return those of every arm against the first, of accuracy.

    Shape: (N, 1 + A, S, K, R, M) →
    """
    num_recordings, clips_each = correct.shape[4:]
    # Clip by clip: numpy takes several times as long over a last axis that is short.
    num_right = np.sum([correct[..., clip] for clip in range(clips_each)], axis=0)
    by_recording = (num_right[:, 1:] - num_right[:, :1]) / clips_each
    trials = by_recording.mean(axis=-1)
    influences = (by_recording - trials[..., None]) / num_recordings
    # 0.3 and 0.1 + 0.2 are no evidence of anything.
    return Differences(trials.round(12), influences, ratio, 1 / (num_recordings * clips_each))
