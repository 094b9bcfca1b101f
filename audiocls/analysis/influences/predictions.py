"""A trial's saved predictions in the order of its recordings, and what metrics are computed of.

Legend: N clips, K classes, R recordings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.config.training import Training

OWN = "own/"
"""Beginning of the names of arrays of own metrics."""

Texts = NDArray[np.str_]
Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Predictions:
    """One trial's test clips, those of a recording side by side."""

    recordings: Texts
    """Names in ascending order, (R,)."""
    numbers: Integers
    """The number of each clip's recording, from 0, ascending, (N,)."""
    labels: NDArray[Any]
    """Class numbers, (N,), or, where clips may have several labels, (N, K) of 0 and 1."""
    logits: Array
    """(N, K)"""
    training: Training | None
    """Options of the loss, which the predictions do not tell."""
    own: Mapping[str, Array] = field(default_factory=dict)
    """Name of an own metric → its value of all clips, then without each recording, (1 + R,)."""

    @property
    def is_multi_label(self) -> bool:
        """Whether a clip may have several labels."""
        return self.labels.ndim == 2

    @cached_property
    def truth(self) -> Bools:
        """Whether a clip is of a class. Shape: (K, N)"""
        if self.is_multi_label:
            return np.ascontiguousarray(self.labels.T > 0.5)
        return self._one_hot(self.labels)

    @cached_property
    def likeliest(self) -> Integers:
        """The class with the greatest logit. Shape: (N,)"""
        return np.asarray(self.logits.argmax(axis=1))

    @cached_property
    def predicted(self) -> Bools:
        """Whether a clip is predicted as a class. Shape: (K, N)"""
        if self.is_multi_label:
            return np.ascontiguousarray(self.logits.T > 0)  # probability above one half
        return self._one_hot(self.likeliest)

    @cached_property
    def probabilities(self) -> Array:
        """Probability of each class. Shape: (K, N)"""
        logits = np.ascontiguousarray(self.logits.T)
        if self.is_multi_label:
            return 1 / (1 + np.exp(np.minimum(-logits, 700)))  # below infinity
        odds = np.exp(logits - logits.max(axis=0))
        return np.asarray(odds / odds.sum(axis=0))

    def _one_hot(self, classes: Integers) -> Bools:
        return np.asarray(np.arange(self.logits.shape[1])[:, np.newaxis] == classes)


def prepared(
    arrays: Mapping[str, NDArray[Any]], training: Training | None = None
) -> Predictions | str:
    """Return the arrays of a trial's `predictions.npz` by recording, or why they cannot be used.

    `training` are the trial's options of the loss; only `test/loss` needs them.
    """
    if missing := [name for name in ("sources", "labels", "logits") if name not in arrays]:
        return f"the predictions lack {' and '.join(missing)}"
    sources, labels, logits = (arrays[name] for name in ("sources", "labels", "logits"))
    if fault := _fault_of_shapes(sources, labels, logits) or _fault_of_values(labels, logits):
        return fault
    recordings, numbers = np.unique(sources, return_inverse=True)
    if len(recordings) < 2:
        return f"all test clips are of one recording, {recordings[0]}"
    order = np.argsort(numbers, kind="stable")
    kept = labels if labels.ndim == 2 else labels.astype(np.int64)
    own = {
        f"test/{name.removeprefix(OWN)}": values.astype(float)
        for name, values in arrays.items()
        if name.startswith(OWN) and values.shape == (1 + len(recordings),)
    }
    clips = numbers[order], kept[order], logits[order].astype(float)
    return Predictions(recordings, *clips, training, own)


def _fault_of_shapes(
    sources: NDArray[Any], labels: NDArray[Any], logits: NDArray[Any]
) -> str | None:
    """Shape: (N,), (N,) or (N, K), (N, K)"""
    if logits.ndim != 2 or 0 in logits.shape:
        return f"the logits are of shape {logits.shape}, where clips × classes are needed"
    if sources.shape != logits.shape[:1]:
        return f"the sources are of shape {sources.shape}, the logits of shape {logits.shape}"
    if labels.shape not in (logits.shape, logits.shape[:1]):
        return f"the labels are of shape {labels.shape}, the logits of shape {logits.shape}"
    return None


def _fault_of_values(labels: NDArray[Any], logits: NDArray[Any]) -> str | None:
    """Shape: (N,) or (N, K), (N, K)"""
    if logits.dtype.kind not in "fiu":
        return f"the logits are of dtype {logits.dtype}, not numbers"
    if not np.isfinite(logits).all():
        return "the logits hold NaN or infinity"
    if labels.ndim == 2:
        is_binary = np.logical_or(labels == 0, labels == 1).all()
        return None if is_binary else "the labels of clips with several hold other than 0 and 1"
    if labels.dtype.kind not in "iu":
        return f"the labels are of dtype {labels.dtype}, not class numbers"
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        got = f"{labels.min()} to {labels.max()}"
        return f"the labels are {got}, but the logits of classes 0 to {logits.shape[1] - 1}"
    return None
