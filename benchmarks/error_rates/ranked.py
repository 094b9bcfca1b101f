"""A metric of ranks: the area under the ROC curve, with the influence of recordings by jackknife.

Legend: N studies, A arms (the first is the baseline), S seeds, K folds, R recordings of a fold.
"""

import numpy as np
from differences import Differences
from numpy.typing import NDArray

from audiocls.stats import by_jackknife

Array = NDArray[np.float64]


def auroc_differences(
    num: int, num_arms: int, num_seeds: int, num_folds: int, seed: int = 0, recordings: int = 30
) -> Differences:
    """Return differences of equal arms, whose scores have parts of clip, arm and training.

    Every third recording is positive; each is one clip.
    """
    rng = np.random.default_rng(seed)
    arms = num_arms + 1
    is_positive = np.arange(recordings) % 3 == 0
    shape = (num, arms, num_seeds, num_folds, recordings)
    scores = 1.5 * is_positive + rng.normal(size=(num, 1, 1, num_folds, recordings))
    scores = scores + 0.5 * rng.normal(size=(num, arms, 1, num_folds, recordings))
    scores = scores + 0.5 * rng.normal(size=shape)
    whole, without = _auroc(scores, is_positive)
    own = by_jackknife(without[:, 1:] - without[:, :1])
    return Differences(whole[:, 1:] - whole[:, :1], own, 1 / 3, 0.0)


def _auroc(scores: Array, is_positive: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the area, and that without each clip. Shape: (..., R) → (...), (..., R)"""
    above = scores[..., is_positive, None] > scores[..., None, ~is_positive]
    num_positive, num_negative = above.shape[-2:]
    total = above.sum(axis=(-1, -2))
    without = np.empty(scores.shape)
    rows, columns = above.sum(axis=-1), above.sum(axis=-2)
    without[..., is_positive] = (total[..., None] - rows) / ((num_positive - 1) * num_negative)
    without[..., ~is_positive] = (total[..., None] - columns) / (num_positive * (num_negative - 1))
    return total / (num_positive * num_negative), without
