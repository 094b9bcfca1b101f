"""Folds for data that comes without any: whole sources, classes spread evenly."""

import hashlib
from collections.abc import Sequence

import numpy as np

from audiocls.errors import DataError


def grouped_folds(sources: Sequence[str], labels: Sequence[str], num_folds: int) -> list[int]:
    """Assign each clip a fold in 1 … `num_folds`; clips of one source share it.

    Sources are assigned from the largest to the smallest (ties in the order of the SHA-256 of their
    names), each to the fold that holds the smallest part of its classes so far: the greedy
    stratified grouping of scikit-learn's StratifiedGroupKFold, without its random generator. The
    result depends on names and labels alone, not on the order of the clips.

    Raises:
        DataError: there are fewer sources than folds.

    >>> grouped_folds(["a", "a", "b", "c"], ["x", "x", "x", "x"], 3).count(1)
    2
    """
    source_names, source_of = np.unique(sources, return_inverse=True)
    label_names, label_of = np.unique(labels, return_inverse=True)
    if len(source_names) < num_folds:
        raise DataError(
            f"{len(source_names)} sources cannot be spread over {num_folds} folds; add a column "
            "'split' or 'fold' to the manifest, or more recordings."
        )
    counts = np.zeros((len(source_names), len(label_names)))
    np.add.at(counts, (source_of, label_of), 1)
    names = [hashlib.sha256(str(name).encode()).hexdigest() for name in source_names]
    order = sorted(range(len(names)), key=lambda i: (-counts[i].sum(), names[i]))
    fold_of = _deal(counts, order, num_folds)
    return [int(fold_of[source]) + 1 for source in source_of]


def _deal(counts: np.ndarray, order: list[int], num_folds: int) -> np.ndarray:
    """Assign sources in `order` to folds.

    Shape: counts (sources, K) of clips → folds (sources,), from 0
    """
    share = counts / counts.sum(axis=0)
    held = np.zeros((num_folds, counts.shape[1]))
    fold_of = np.zeros(len(counts), dtype=np.int64)
    for source in order:
        of_its_classes = held @ (counts[source] > 0)
        fold = int(np.lexsort((held.sum(axis=1), of_its_classes))[0])
        held[fold] += share[source]
        fold_of[source] = fold
    return fold_of
