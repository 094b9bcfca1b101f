"""Evaluation of a checkpoint on any clips; classes are matched by name.

Legend: N clips, K classes of the checkpoint.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.clips import Clip, ClipTable, fingerprint
from audiocls.audio.dataset import open_dataset
from audiocls.config.training import Training
from audiocls.errors import DataError
from audiocls.formatting import join_names
from audiocls.parts import own_parts
from audiocls.stats import accuracy_interval
from audiocls.training.checkpoint import Checkpoint
from audiocls.training.evaluation_request import EvaluationRequest
from audiocls.training.metrics import confusion, per_class
from audiocls.training.score import Scores, score


@dataclass(frozen=True)
class Evaluation:
    """The logits of clips beside their targets, on the CPU, and what follows from them."""

    labels: tuple[str, ...]
    """The checkpoint's classes, in the order of the logits."""
    clips: tuple[Clip, ...]
    logits: Tensor
    """(N, K)."""
    targets: Tensor
    """(N,) class numbers, or (N, K) of zeros and ones if a clip may have several labels."""
    training: Training = field(default_factory=Training)
    """Options of the loss."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Label unknown to the checkpoint → number of clips that have it."""

    @property
    def is_multi_label(self) -> bool:
        """Whether a clip may have several labels."""
        return self.targets.is_floating_point()

    @property
    def sources(self) -> list[str]:
        """The source recording of each clip."""
        return [clip.source for clip in self.clips]

    def metrics(self) -> dict[str, float]:
        """Return loss and metrics, named as in a record without `test/`."""
        recorded = Scores(self.logits, self.targets, self.training).test()
        return {name.removeprefix("test/"): value for name, value in recorded.items()}

    def accuracy_interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the accuracy, by resampling source recordings.

        None for clips of several labels, or of one recording.
        """
        if self.is_multi_label:
            return None
        return accuracy_interval((self.logits.argmax(1) == self.targets).numpy(), self.sources)

    def per_class(self) -> list[dict[str, Any]]:
        """Return a row for each class with clips: `metrics.ClassRow` as a dict, label by name."""
        rows = per_class(self.logits, self.targets, self.is_multi_label)
        return [{**asdict(row), "label": self.labels[row.label]} for row in rows if row.support]

    def confusion(self) -> list[list[int]] | None:
        """Return the number of clips by true (row) and predicted class (column).

        None for clips of several labels.
        """
        if self.is_multi_label:
            return None
        counts: list[list[int]] = confusion(self.logits, self.targets).tolist()
        return counts

    def most_confused(self, most: int) -> list[tuple[str, str, int]]:
        """Return up to `most` (true label, predicted label, clips), the most frequent first."""
        pairs = [
            (self.labels[truth], self.labels[predicted], count)
            for truth, row in enumerate(self.confusion() or [])
            for predicted, count in enumerate(row)
            if count and truth != predicted
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:most]

    def rows(self) -> Iterator[tuple[str, str, str, str, float]]:
        """Yield (clip id, source, true labels, likeliest label, its probability) of each clip."""
        scores = self.logits.sigmoid() if self.is_multi_label else self.logits.softmax(1)
        for clip, target, score_row in zip(self.clips, self.targets, scores, strict=True):
            truth = target.nonzero().flatten() if self.is_multi_label else target.reshape(1)
            names = "|".join(self.labels[i] for i in truth.tolist())
            best = int(score_row.argmax())
            yield clip.id, clip.source, names, self.labels[best], float(score_row[best])


def evaluate(
    checkpoint: Checkpoint, request: EvaluationRequest, cache: Path, known_only: bool = False
) -> Evaluation:
    """Score the clips of `request`.

    Args:
        cache: folder of decoded audio.
        known_only: whether labels that the checkpoint does not know are skipped.

    Raises:
        DataError: a label is unknown to the checkpoint, no label is known, or clips have several
            labels and the checkpoint predicts one.
    """
    for _, part in own_parts(checkpoint.config.train):
        part.require_trusted()  # a loss or a metric, before minutes of scoring
    table, clips = request.table, request.clips
    unknown = _unknown(checkpoint, table, clips)
    _require_labels(checkpoint, table, {} if known_only else unknown)
    known = _with_known_labels(checkpoint, table, clips)
    features, training = checkpoint.config.features, checkpoint.config.train
    dataset = open_dataset(request.data, features, table, fingerprint(table, cache), cache)
    return Evaluation(
        labels=checkpoint.labels,
        clips=tuple(table.clips[index] for index in known),
        logits=score(checkpoint.classifier, dataset, known, training).logits,
        targets=_targets(checkpoint, table, known),
        training=training,
        skipped=unknown,
    )


def _require_labels(checkpoint: Checkpoint, table: ClipTable, unknown: dict[str, int]) -> None:
    """Raise `DataError` for several labels per clip, or labels that the checkpoint lacks."""
    if table.is_multi_label and not checkpoint.is_multi_label:
        raise DataError(
            "these clips have several labels each; this checkpoint gives every clip one"
        )
    if unknown:
        raise DataError(
            f"{len(unknown)} labels of these clips are unknown to the checkpoint: "
            f"{join_names(unknown, 10)}; its classes are {join_names(checkpoint.labels, 10)}. "
            "To score the others: --known-only"
        )


def _unknown(checkpoint: Checkpoint, table: ClipTable, clips: NDArray[np.int64]) -> dict[str, int]:
    """Return the number of clips of each label that the checkpoint lacks. Shape: clips (N,)"""
    names = Counter(table.labels[label] for index in clips for label in table.clips[index].labels)
    return {name: count for name, count in names.items() if name not in checkpoint.labels}


def _with_known_labels(
    checkpoint: Checkpoint, table: ClipTable, clips: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the clips whose label is a class of the checkpoint. Shape: (N,) → (at most N,)"""
    known = {number for number, name in enumerate(table.labels) if name in checkpoint.labels}
    kept = [index for index in clips if known.intersection(table.clips[index].labels)]
    if not kept:
        raise DataError(
            f"no clip has a label that the checkpoint knows; the clips have "
            f"{join_names(table.labels)}, the checkpoint has {join_names(checkpoint.labels)}"
        )
    return np.array(kept, dtype=np.int64)


def _targets(checkpoint: Checkpoint, table: ClipTable, clips: NDArray[np.int64]) -> Tensor:
    """Return targets in the checkpoint's class numbers. Shape: clips (N,) → (N,) or (N, K)"""
    number = {name: number for number, name in enumerate(checkpoint.labels)}
    numbers = [
        [number[table.labels[i]] for i in table.clips[index].labels if table.labels[i] in number]
        for index in clips
    ]
    if not checkpoint.is_multi_label:
        return torch.tensor(numbers).flatten()
    hot = torch.zeros(len(numbers), len(checkpoint.labels))
    for row, labels in zip(hot, numbers, strict=True):
        row[labels] = 1
    return hot
