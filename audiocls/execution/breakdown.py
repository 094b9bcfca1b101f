"""`class_breakdown`: from scored test clips to what a trial shows of them.

Legend: N clips, K classes.
"""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from audiocls.audio.batches import AudioDataset
from audiocls.tracking.breakdown import ClassScore, Misheard, ScoreBreakdown
from audiocls.training.metrics import confusion, per_class

MOST_MISHEARD = 6
"""A few are listened to; each is a file of up to megabytes."""
LONGEST_S = 5.0
"""Of a misheard clip, from the beginning of what the model hears."""


def class_breakdown(
    sounds: AudioDataset,
    clips: NDArray[np.int64],
    logits: NDArray[np.float32],
    targets: NDArray[np.int64] | NDArray[np.float32],
) -> ScoreBreakdown:
    """Scores of each class, and the errors that the model was surest of.

    Shape: clips (N,) indices into the table, logits (N, K), targets (N,) or (N, K)
    """
    labels, scored, truth = sounds.table.labels, torch.tensor(logits), torch.tensor(targets)
    is_multi_label = sounds.table.is_multi_label
    return ScoreBreakdown(
        classes=tuple(
            ClassScore(labels[row.label], row.support, row.precision, row.recall, row.f1)
            for row in per_class(scored, truth, is_multi_label)
        ),
        confusion=None if is_multi_label else confusion(scored, truth).numpy(),
        misclassified=_misheard(sounds, clips, most_confident_errors(logits, targets)),
        sample_rate=sounds.sample_rate,
    )


def most_confident_errors(
    logits: NDArray[np.float32], targets: NDArray[np.int64] | NDArray[np.float32]
) -> list[tuple[int, int, float]]:
    """Clip, class and probability where a class that is not the clip's was decided for.

    The likeliest wrong class of each such clip, the most probable ones first, a few at most. Of
    several labels each has a probability of its own, and is decided for from one half on.

    Shape: logits (N, K), targets (N,) or (N, K)

    >>> errors = most_confident_errors(np.array([[9.0, 0], [2, 0], [3, 0]]), np.array([0, 1, 1]))
    >>> [(clip, heard, round(probability, 2)) for clip, heard, probability in errors]
    [(2, 0, 0.95), (1, 0, 0.88)]
    """
    is_multi_label = targets.ndim == 2
    exact = torch.tensor(logits, dtype=torch.float64)
    probabilities = (exact.sigmoid() if is_multi_label else exact.softmax(1)).numpy()
    is_true = targets > 0.5 if is_multi_label else np.eye(logits.shape[1], dtype=bool)[targets]
    heard = np.where(is_true, -1.0, probabilities).argmax(1)
    sureness = probabilities[np.arange(len(heard)), heard]
    is_wrong = sureness > 0.5 if is_multi_label else heard == logits.argmax(1)
    surest_first = (int(i) for i in np.argsort(-sureness, kind="stable") if is_wrong[i])
    return [(i, int(heard[i]), float(sureness[i])) for i in islice(surest_first, MOST_MISHEARD)]


def _misheard(
    sounds: AudioDataset, clips: NDArray[np.int64], errors: Sequence[tuple[int, int, float]]
) -> tuple[Misheard, ...]:
    """The clips as they were decoded, before normalisation."""
    chosen = clips[[number for number, _, _ in errors]]
    num_samples = min(sounds.num_samples, round(LONGEST_S * sounds.sample_rate))
    waves = sounds.pack.centred(chosen, sounds.num_samples)[:, :num_samples]
    names = sounds.table.labels
    return tuple(
        Misheard(
            clip=sounds.table.clips[index].id,
            truth=", ".join(names[k] for k in sounds.table.clips[index].labels),
            heard=names[heard],
            probability=probability,
            wave=wave,
        )
        for index, wave, (_, heard, probability) in zip(chosen, waves, errors, strict=True)
    )
