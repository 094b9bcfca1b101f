"""How sure an accuracy is: the bootstrap over source recordings.

Legend: N clips, S sources.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

NUM_RESAMPLES = 2000
ALPHA = 0.05


def accuracy_interval(
    is_right: ArrayLike, sources: Sequence[str], seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % percentile interval of the mean of `is_right`, whole sources drawn at a time.

    Clips of one recording are right or wrong together, so they are no independent evidence:
    resampling clips would promise too narrow an interval (Davison and Hinkley, "Bootstrap methods
    and their application", 1997, section 3.8). One source shows no spread and gives none.

    Shape: is_right (N,), sources (N,)

    >>> accuracy_interval([True, True, True, True], ["a", "b", "c", "d"])
    (1.0, 1.0)
    """
    names, source_of = np.unique(np.asarray(sources), return_inverse=True)
    if len(names) < 2:
        return None
    num_clips = np.bincount(source_of)
    num_right = np.bincount(source_of, weights=np.asarray(is_right, dtype=np.float64))
    rng = np.random.default_rng(seed)
    accuracies = np.empty(NUM_RESAMPLES)
    for draw in range(NUM_RESAMPLES):
        drawn = rng.integers(len(names), size=len(names))
        accuracies[draw] = num_right[drawn].sum() / num_clips[drawn].sum()
    low, high = np.quantile(accuracies, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)
