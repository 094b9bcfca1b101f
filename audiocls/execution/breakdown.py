"""`class_breakdown`: from scored test clips to scores of classes and the most confident errors.

Legend: N clips, K classes.
"""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from audiocls.audio.dataset import AudioDataset
from audiocls.tracking.breakdown import ClassScore, MisclassifiedClip, ScoreBreakdown
from audiocls.training.metrics import confusion, per_class

MAX_MISCLASSIFIED = 6
"""A few are listened to; each is a file of up to megabytes."""
LONGEST_S = 5.0
"""Seconds of a misclassified clip, from the beginning of the model's input."""


def class_breakdown(
    dataset: AudioDataset,
    clips: NDArray[np.int64],
    logits: NDArray[np.float32],
    targets: NDArray[np.int64] | NDArray[np.float32],
) -> ScoreBreakdown:
    """Return the scores of each class and the most confident errors.

    Shape: clips (N,) indices into the table, logits (N, K), targets (N,) or (N, K)
    """
    labels, scored, truth = dataset.table.labels, torch.tensor(logits), torch.tensor(targets)
    is_multi_label = dataset.table.is_multi_label
    return ScoreBreakdown(
        classes=tuple(
            ClassScore(labels[row.label], row.support, row.precision, row.recall, row.f1)
            for row in per_class(scored, truth, is_multi_label)
        ),
        confusion=None if is_multi_label else confusion(scored, truth).numpy(),
        misclassified=_misclassified(dataset, clips, most_confident_errors(logits, targets)),
        sample_rate=dataset.sample_rate,
    )


def most_confident_errors(
    logits: NDArray[np.float32], targets: NDArray[np.int64] | NDArray[np.float32]
) -> list[tuple[int, int, float]]:
    """Return clip, predicted class and probability of misclassified clips.

    Each clip with its most probable wrong class, the most probable first, at most a few. With
    several labels a clip each class has a probability of its own, and is predicted above one half.

    Shape: logits (N, K), targets (N,) or (N, K)

    >>> errors = most_confident_errors(np.array([[9.0, 0], [2, 0], [3, 0]]), np.array([0, 1, 1]))
    >>> [(clip, predicted, round(probability, 2)) for clip, predicted, probability in errors]
    [(2, 0, 0.95), (1, 0, 0.88)]
    """
    is_multi_label = targets.ndim == 2
    exact = torch.tensor(logits, dtype=torch.float64)
    probabilities = (exact.sigmoid() if is_multi_label else exact.softmax(1)).numpy()
    is_true = targets > 0.5 if is_multi_label else np.eye(logits.shape[1], dtype=bool)[targets]
    predicted = np.where(is_true, -1.0, probabilities).argmax(1)
    confidence = probabilities[np.arange(len(predicted)), predicted]
    is_wrong = confidence > 0.5 if is_multi_label else predicted == logits.argmax(1)
    most_confident = (int(i) for i in np.argsort(-confidence, kind="stable") if is_wrong[i])
    return [
        (i, int(predicted[i]), float(confidence[i]))
        for i in islice(most_confident, MAX_MISCLASSIFIED)
    ]


def _misclassified(
    dataset: AudioDataset, clips: NDArray[np.int64], errors: Sequence[tuple[int, int, float]]
) -> tuple[MisclassifiedClip, ...]:
    """Return the clips as they were decoded, before normalisation."""
    chosen = clips[[number for number, _, _ in errors]]
    num_samples = min(dataset.num_samples, round(LONGEST_S * dataset.sample_rate))
    waves = dataset.pack.centred(chosen, dataset.num_samples)[:, :num_samples]
    names = dataset.table.labels
    return tuple(
        MisclassifiedClip(
            clip=dataset.table.clips[index].id,
            truth=", ".join(names[k] for k in dataset.table.clips[index].labels),
            predicted=names[predicted],
            probability=probability,
            wave=wave,
        )
        for index, wave, (_, predicted, probability) in zip(chosen, waves, errors, strict=True)
    )
