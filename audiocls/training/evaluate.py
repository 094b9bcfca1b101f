"""Scoring a checkpoint on any clips, without training: classes are matched by name.

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

from audiocls.audio.batches import open_dataset
from audiocls.audio.clips import Clip, ClipTable, fingerprint
from audiocls.audio.datasets import DataSet
from audiocls.config.training import Training
from audiocls.errors import DataError
from audiocls.formatting import join_names
from audiocls.stats import accuracy_interval
from audiocls.training.checkpoint import Checkpoint
from audiocls.training.metrics import confusion, per_class
from audiocls.training.score import Scores, score

SPLITS = ("test", "val", "train", "all")


@dataclass(frozen=True)
class Evaluation:
    """`logits` (N, K) of `clips`, and the `targets` they should have met, on the CPU."""

    labels: tuple[str, ...]
    """The checkpoint's."""
    clips: tuple[Clip, ...]
    logits: Tensor
    targets: Tensor
    """(N,) class numbers, or (N, K) of zeros and ones if a clip may have several labels."""
    training: Training = field(default_factory=Training)
    """Whose loss is measured."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Label that the checkpoint does not know → clips that have it."""

    @property
    def is_multi_label(self) -> bool:
        return self.targets.is_floating_point()

    @property
    def sources(self) -> list[str]:
        return [clip.source for clip in self.clips]

    def metrics(self) -> dict[str, float]:
        """What a record calls `test/…`."""
        recorded = Scores(self.logits, self.targets, self.training).test()
        return {name.removeprefix("test/"): value for name, value in recorded.items()}

    def accuracy_interval(self) -> tuple[float, float] | None:
        """Over source recordings; none for clips of several labels, or of one recording."""
        if self.is_multi_label:
            return None
        return accuracy_interval((self.logits.argmax(1) == self.targets).numpy(), self.sources)

    def per_class(self) -> list[dict[str, Any]]:
        """A row for each class that occurs."""
        rows = per_class(self.logits, self.targets, self.is_multi_label)
        return [{**asdict(row), "label": self.labels[row.label]} for row in rows if row.support]

    def confusion(self) -> list[list[int]] | None:
        """Clips by true (row) and predicted class; none for clips of several labels."""
        if self.is_multi_label:
            return None
        counts: list[list[int]] = confusion(self.logits, self.targets).tolist()
        return counts

    def most_confused(self, most: int) -> list[tuple[str, str, int]]:
        """(true label, predicted label, clips), the most frequent first."""
        pairs = [
            (self.labels[truth], self.labels[guess], count)
            for truth, row in enumerate(self.confusion() or [])
            for guess, count in enumerate(row)
            if count and truth != guess
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:most]

    def rows(self) -> Iterator[tuple[str, str, str, str, float]]:
        """(clip id, source, true labels, likeliest label, its probability), clip by clip."""
        chances = self.logits.sigmoid() if self.is_multi_label else self.logits.softmax(1)
        for clip, target, chance in zip(self.clips, self.targets, chances, strict=True):
            truth = target.nonzero().flatten() if self.is_multi_label else target.reshape(1)
            names = "|".join(self.labels[i] for i in truth.tolist())
            best = int(chance.argmax())
            yield clip.id, clip.source, names, self.labels[best], float(chance[best])


def evaluate(
    checkpoint: Checkpoint,
    data: DataSet,
    table: ClipTable,
    clips: NDArray[np.int64],
    cache: Path,
    known_only: bool = False,
) -> Evaluation:
    """Score `clips` of `table`, heard at the rate and length of `data`, which are training's.

    Raises:
        DataError: clips have labels that the checkpoint does not know (with `known_only` such
            labels are left out), or several labels where it gives one.

    Shape: clips (N,)
    """
    if table.is_multi_label and not checkpoint.is_multi_label:
        raise DataError(
            "these clips have several labels each; this checkpoint gives every clip one"
        )
    left_out = _unknown(checkpoint, table, clips)
    if left_out and not known_only:
        raise DataError(
            f"{len(left_out)} labels of these clips are unknown to the checkpoint: "
            f"{join_names(left_out, 10)}; it knows {join_names(checkpoint.labels, 10)}. "
            "To score the others: --known-only"
        )
    known = _with_known_labels(checkpoint, table, clips)
    sounds = open_dataset(data, checkpoint.config.features, table, fingerprint(table, cache), cache)
    training = checkpoint.config.train
    return Evaluation(
        labels=checkpoint.labels,
        clips=tuple(table.clips[index] for index in known),
        logits=score(checkpoint.classifier, sounds, known, training).logits,
        targets=_targets(checkpoint, table, known),
        training=training,
        left_out=left_out,
    )


def chosen(table: ClipTable, split: str, fold: int) -> NDArray[np.int64]:
    """The clips of a part of `table`, one of `SPLITS`.

    Shape: → (N,)
    """
    if split == "all":
        return np.arange(len(table.clips))
    parts = table.split(fold)
    return {"train": parts.train, "val": parts.val, "test": parts.test}[split]


def num_trained_on(checkpoint: Checkpoint, table: ClipTable, clips: NDArray[np.int64]) -> int:
    """How many of `clips`, of the data set that the checkpoint is from, were trained on."""
    return len(np.intersect1d(table.split(checkpoint.config.fold).train, clips))


def _unknown(checkpoint: Checkpoint, table: ClipTable, clips: NDArray[np.int64]) -> dict[str, int]:
    names = Counter(table.labels[label] for index in clips for label in table.clips[index].labels)
    return {name: count for name, count in names.items() if name not in checkpoint.labels}


def _with_known_labels(
    checkpoint: Checkpoint, table: ClipTable, clips: NDArray[np.int64]
) -> NDArray[np.int64]:
    known = {number for number, name in enumerate(table.labels) if name in checkpoint.labels}
    kept = [index for index in clips if known.intersection(table.clips[index].labels)]
    if not kept:
        raise DataError(
            f"no clip has a label that the checkpoint knows; the clips have "
            f"{join_names(table.labels)}, the checkpoint has {join_names(checkpoint.labels)}"
        )
    return np.array(kept, dtype=np.int64)


def _targets(checkpoint: Checkpoint, table: ClipTable, clips: NDArray[np.int64]) -> Tensor:
    """In the checkpoint's numbers. Shape: clips (N,) → (N,) or (N, K)."""
    number = {name: number for number, name in enumerate(checkpoint.labels)}
    own = [
        [number[table.labels[i]] for i in table.clips[index].labels if table.labels[i] in number]
        for index in clips
    ]
    if not checkpoint.is_multi_label:
        return torch.tensor(own).flatten()
    hot = torch.zeros(len(own), len(checkpoint.labels))
    for row, labels in zip(hot, own, strict=True):
        row[labels] = 1
    return hot
