"""The permutation test of paired differences."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MAX_EXACT_PAIRS = 16
NUM_RESAMPLES = 9_999
_NUM_AT_ONCE = 2**20
"""Signs multiplied at a time: as floats they take 8 MiB, and not the 400 of 5,000 pairs."""


def resamples_for(level: float) -> int:
    """Random patterns with which a p of that level can still be told from a larger one."""
    return NUM_RESAMPLES if level >= 10 / NUM_RESAMPLES else 10 * NUM_RESAMPLES + 9


def sign_flip_p(
    differences: Sequence[float], seed: int = 0, num_resamples: int = NUM_RESAMPLES
) -> float:
    """Two-sided p of the mean under random signs: no distribution assumed, only symmetry.

    Exact over all 2^n patterns up to 16 pairs; beyond, 9,999 seeded ones (or more) and the +1 rule
    (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010). Equal to
    `scipy.stats.permutation_test(permutation_type="samples")`, but a hundred times faster, and
    the same for d and −d by Monte Carlo too.
    """
    values = np.asarray(differences, dtype=float)
    is_exact = len(values) <= MAX_EXACT_PAIRS
    sums = _all_sums(values) if is_exact else _random_sums(values, seed, num_resamples)
    # Equal sums of decimals differ in their last bits; they are ties and must count as such.
    threshold = abs(values.sum()) - 1e-9 * np.abs(values).sum()
    num_extreme = int(np.count_nonzero(np.abs(sums) >= threshold))
    return num_extreme / len(sums) if is_exact else (num_extreme + 1) / (len(sums) + 1)


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums under every pattern of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_sums(values: NDArray[np.float64], seed: int, num: int) -> NDArray[np.float64]:
    signs = random_signs(len(values), seed, num)
    num_rows = max(1, _NUM_AT_ONCE // len(values))
    portions = (signs[start : start + num_rows] for start in range(0, len(signs), num_rows))
    return np.concatenate([portion.astype(float) @ values for portion in portions])


@lru_cache(maxsize=2)
def random_signs(num: int, seed: int, num_rows: int = NUM_RESAMPLES) -> NDArray[np.int8]:
    """Random patterns of signs, one a row; cached, since every arm of a study asks for the same."""
    signs = np.random.default_rng(seed).integers(0, 2, (num_rows, num), dtype=np.int8)
    signs *= 2
    signs -= 1
    return signs
