"""Objectives: what a step makes smaller, and what a validation pass measures.

Legend: B batch, C channels, L frames, T samples, K classes, Q codebooks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.batches import AudioDataset, Batch
from audiocls.config.training import Distil, Training
from audiocls.training.classifier import Classifier
from audiocls.training.losses import code_loss, distillation, loss_of
from audiocls.training.score import score, score_codes

Teacher = Callable[[Tensor], Tensor]
"""Waves (B, T) to logits (B, K), without gradients."""


class Objective(Protocol):
    """What training is for."""

    def loss(self, classifier: Classifier, heard: Tensor, batch: Batch) -> Tensor:
        """The loss of a batch whose features, as the model hears them, are `heard` (B, C, L)."""

    def validate(
        self, classifier: Classifier, sounds: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        """Metrics named `val/…`; `val/loss` always."""


@dataclass(frozen=True)
class Classes:
    """Telling classes apart, by labels and perhaps by a teacher."""

    training: Training
    is_multi_label: bool = False
    teacher: Teacher | None = None
    distil: Distil = field(default_factory=Distil)

    def loss(self, classifier: Classifier, heard: Tensor, batch: Batch) -> Tensor:
        return self.of_logits(classifier.model(heard).float(), batch)

    def of_logits(self, logits: Tensor, batch: Batch) -> Tensor:
        """Shape: logits (B, K) → ()"""
        smoothing = 0.0 if batch.is_mixed else self.training.label_smoothing
        kind, gamma = self.training.loss, self.training.focal_gamma
        loss = loss_of(logits, batch.targets, kind, smoothing, gamma, self.is_multi_label)
        if self.teacher is None or batch.waveforms is None:
            return loss
        taught = distillation(logits, self.teacher(batch.waveforms), self.distil.temperature)
        return (1 - self.distil.weight) * loss + self.distil.weight * taught

    def validate(
        self, classifier: Classifier, sounds: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        return score(classifier, sounds, clips, self.training).validation()


@dataclass(frozen=True)
class Codes:
    """Predicting the EnCodec codes of each frame from the frames before it."""

    training: Training

    def loss(self, classifier: Classifier, heard: Tensor, batch: Batch) -> Tensor:
        _, code_logits = classifier.with_codes(heard)
        return self.of_logits(code_logits.float(), batch)

    def of_logits(self, code_logits: Tensor, batch: Batch) -> Tensor:
        """Shape: code logits (B, Q, V, L) → ()"""
        assert batch.codes is not None
        return code_loss(code_logits, batch.codes, self.training.label_smoothing)

    def validate(
        self, classifier: Classifier, sounds: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        return score_codes(classifier, sounds, clips, self.training.batch_size)


@dataclass(frozen=True)
class JointObjective:
    """Classes and codes at once, from one pass."""

    classes: Classes
    codes: Codes
    weight: float

    def loss(self, classifier: Classifier, heard: Tensor, batch: Batch) -> Tensor:
        logits, code_logits = classifier.with_codes(heard)
        of_codes = self.codes.of_logits(code_logits.float(), batch)
        return self.classes.of_logits(logits.float(), batch) + self.weight * of_codes

    def validate(
        self, classifier: Classifier, sounds: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        codes = self.codes.validate(classifier, sounds, clips)
        codes["val/code_loss"] = codes.pop("val/loss")
        return {**codes, **self.classes.validate(classifier, sounds, clips)}
