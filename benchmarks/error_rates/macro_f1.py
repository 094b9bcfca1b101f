"""A metric that is no mean over clips: macro F1, with the influence of recordings by jackknife.

Legend: N studies, A arms (the first is the baseline), S seeds, K folds, R recordings of a fold,
M clips of a recording, C classes.
"""

import numpy as np
from differences import Differences
from numpy.typing import NDArray

from audiocls.stats import by_jackknife

Array = NDArray[np.float64]


def f1_differences(
    answers: NDArray[np.int8], labels: NDArray[np.int64], num_classes: int, ratio: float
) -> Differences:
    """Return differences of macro F1 of every arm against the first.

    Shape: answers (N, 1 + A, S, K, R, M), labels (K, R) →
    """
    is_answer = np.arange(num_classes) == answers[..., None]
    is_label = np.arange(num_classes) == labels[:, :, None, None]
    hits = (is_answer & is_label).sum(axis=-2).astype(float)
    named = is_answer.sum(axis=-2).astype(float)
    present = np.broadcast_to(is_label.sum(axis=-2) * answers.shape[-1], hits.shape)
    whole = _macro_f1(*(part.sum(axis=-2) for part in (hits, named, present)))
    without = _macro_f1(
        *(part.sum(axis=-2, keepdims=True) - part for part in (hits, named, present))
    )
    own = by_jackknife(without[:, 1:] - without[:, :1])
    step = 1 / (labels.shape[1] * answers.shape[-1])
    return Differences(whole[:, 1:] - whole[:, :1], own, ratio, step)


def _macro_f1(hits: Array, named: Array, present: Array) -> Array:
    """Shape: (..., C) each → (...)"""
    return np.asarray((2 * hits / np.maximum(named + present, 1)).mean(axis=-1))
