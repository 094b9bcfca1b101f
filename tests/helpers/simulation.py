"""The tests of a comparison on thousands of simulated studies at once."""

import math
from typing import Any

import numpy as np
from scipy import stats as oracle

from audiocls.stats.tests import random_signs, resamples_for
from audiocls.store.record import Study
from helpers.records import Records, finished_study

RATIO = 1 / 3
"""Test clips per training clip of five folds: one to test, one to choose, three to train on."""

Array = np.ndarray[Any, np.dtype[np.float64]]


def t_test_ps(differences: Array, ratio: float) -> Array:
    """Return the p-values of the corrected paired t-test, two-sided.

    Shape: (..., pairs) → (...)
    """
    num = differences.shape[-1]
    error = differences.std(axis=-1, ddof=1) * math.sqrt(1 / num + ratio)
    return 2 * oracle.t.sf(np.abs(differences.mean(axis=-1)) / error, num - 1)


def sign_flip_ps(differences: Array, level: float) -> Array:
    """Return the p-values of the sign-flip test: exact up to 16 pairs, else resampled for `level`.

    Shape: (rows, pairs) → (rows,)
    """
    num = differences.shape[-1]
    if num > 16:
        signs, bonus = random_signs(num, 0, resamples_for(level)), 1
    else:
        signs, bonus = 1.0 - 2 * ((np.arange(2 ** (num - 1))[:, None] >> np.arange(num)) & 1), 0
    ps = []
    for rows in np.array_split(differences, math.ceil(len(differences) * len(signs) / 2**22)):
        threshold = np.abs(rows.sum(axis=1)) - 1e-9
        extreme = (np.abs(rows @ signs.T) >= threshold[:, None]).sum(axis=1)
        ps.append((extreme + bonus) / (len(signs) + bonus))
    return np.concatenate(ps)


def study_of_differences(arms: Array, num_seeds: int, num_folds: int) -> tuple[Study, Records]:
    """Return a study whose arms differ so from a baseline at 0; 400 test and 1200 training clips.

    Shape: (arms, pairs) →
    """
    values = {"base": [0.0] * arms.shape[1], **{f"arm{i}": row for i, row in enumerate(arms)}}
    return finished_study(values, seeds=range(num_seeds), folds=range(1, num_folds + 1))
