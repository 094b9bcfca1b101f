"""Simulated studies by their sources of variance: right and wrong answers to single clips.

All arms are drawn alike, so that any claim is a false one.

Legend: N studies, A arms (the first is the baseline), S seeds, K folds, R recordings of a fold,
M clips of a recording.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sources:
    """Sds on the scale of a probit, where the difficulty of clips has an sd of 1."""

    recordings: int = 20
    """Of a fold."""
    clips_each: int = 2
    arm_by_clip: float = 0.3
    """What an arm makes of single clips and recordings, with every seed."""
    trial_by_clip: float = 0.3
    trial: float = 0.1
    """Whole trainings that end well or badly."""
    tail: str = "normal"
    """`normal`, `t3`, `exponential` (to one side) or `collapse` (of 5 % of the trainings)."""
    arm_by_fold: float = 0.0
    """Luck of an arm with all of a fold, such as a setting that was tuned on it."""
    last_arm_by_fold: float | None = None
    """The same for the last arm alone."""
    arm: float = 0.0
    """Luck of an arm with the whole data set, which no study can see. Not a supported setting."""


def correctness(
    sources: Sources, num: int, num_arms: int, num_seeds: int, num_folds: int, seed: int = 0
) -> Array:
    """Return which clips each trial gets right, 1 or 0, for `num_arms` arms and their baseline.

    Shape: → (N, A, S, K, R, M)
    """
    rng = np.random.default_rng(seed)
    arms = num_arms + 1

    def by_clip(with_arm: bool, with_seed: bool) -> Array:
        lead = (num, arms if with_arm else 1, num_seeds if with_seed else 1, num_folds)
        of_recording = rng.normal(size=(*lead, sources.recordings, 1))
        of_clip = rng.normal(size=(*lead, sources.recordings, sources.clips_each))
        return np.asarray(np.sqrt(0.5) * (of_recording + of_clip))

    luck = np.full(arms, sources.arm_by_fold)
    if sources.last_arm_by_fold is not None:
        luck[-1] = sources.last_arm_by_fold
    shifts = sources.trial * tail(rng, sources.tail, (num, arms, num_seeds, num_folds))
    shifts = shifts + luck[:, None, None] * rng.normal(size=(num, arms, 1, num_folds))
    shifts = shifts + sources.arm * rng.normal(size=(num, arms, 1, 1))
    # The largest of the arrays: what is added to it is added in place.
    answers = rng.normal(
        size=(num, arms, num_seeds, num_folds, sources.recordings, sources.clips_each)
    )
    answers *= sources.trial_by_clip
    answers += by_clip(False, False) + sources.arm_by_clip * by_clip(True, False)
    answers += shifts[..., None, None]
    return (answers > -1.2).astype(float)


def tail(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    """Draw values of about unit sd, but for a collapse, which is eight times that."""
    if name == "t3":
        return np.asarray(rng.standard_t(3, shape) / np.sqrt(3))
    if name == "exponential":
        return np.asarray(1 - rng.exponential(size=shape))
    if name == "collapse":
        return np.asarray(0.3 * rng.normal(size=shape) - 8.0 * (rng.random(shape) < 0.05))
    return rng.normal(size=shape)
