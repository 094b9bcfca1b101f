"""Objectives: the loss that a step minimises, and the metrics of a validation pass.

Legend: B batch, C channels, L frames, T samples, K classes, Q codebooks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.batches import Batch
from audiocls.audio.dataset import AudioDataset
from audiocls.config.training import Distil, Training
from audiocls.training.classifier import Classifier
from audiocls.training.losses import code_loss, distillation, loss_of, smoothing_among_all
from audiocls.training.score import KeptBatches, score_batches, score_codes

Teacher = Callable[[Tensor], Tensor]
"""Waveforms (B, T) to logits (B, K), without gradients."""


class Objective(Protocol):
    """The task that a classifier is trained for."""

    def loss(self, classifier: Classifier, features: Tensor, batch: Batch) -> Tensor:
        """Return the loss of a batch, in nats per clip, from the input of the model.

        Shape: features (B, C, L) → ()
        """

    def validate(
        self, classifier: Classifier, dataset: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        """Return metrics of `clips` (numbers in the data set) named `val/…`; `val/loss` always.

        Shape: clips (N,)
        """


@dataclass(frozen=True)
class ClassObjective:
    """Classification by labels and, where there is one, by a teacher's logits."""

    training: Training
    is_multi_label: bool = False
    teacher: Teacher | None = None
    distil: Distil = field(default_factory=Distil)
    _validated: KeptBatches = field(default_factory=KeptBatches, repr=False, compare=False)

    def loss(self, classifier: Classifier, features: Tensor, batch: Batch) -> Tensor:
        """Return the loss on labels and teacher. Shape: features (B, C, L) → ()"""
        return self.of_logits(classifier.model(features).float(), batch)

    def of_logits(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return (1 - weight) · loss on labels + weight · distillation loss.

        Shape: logits (B, K) → ()
        """
        training = self.training
        kind = training.mixed_loss or training.loss if batch.is_mixed else training.loss
        # Mixed labels are soft already.
        smoothing = 0.0 if batch.is_mixed else self._smoothing(logits.shape[1])
        gamma = training.focal_gamma
        loss = loss_of(logits, batch.targets, kind, smoothing, gamma, self.is_multi_label)
        if self.teacher is None or batch.waveforms is None:
            return loss
        temperature = self.distil.temperature
        taught = self.teacher(batch.waveforms)
        distilled = distillation(logits, taught, temperature, self.is_multi_label)
        return (1 - self.distil.weight) * loss + self.distil.weight * distilled

    def _smoothing(self, num_classes: int) -> float:
        share = self.training.label_smoothing
        is_over_all = self.training.smoothing_over == "all"
        return share if is_over_all else smoothing_among_all(share, num_classes)

    def validate(
        self, classifier: Classifier, dataset: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        """Return loss and metrics of the classes. Shape: clips (N,)"""
        batches = self._validated.of(dataset, clips, self.training.batch_size)
        return score_batches(classifier, batches, self.training).validation()


@dataclass(frozen=True)
class CodeObjective:
    """Prediction of the EnCodec codes of each frame from the frames before it."""

    training: Training

    def loss(self, classifier: Classifier, features: Tensor, batch: Batch) -> Tensor:
        """Return the loss on codes. Shape: features (B, C, L) → ()"""
        _, code_logits = classifier.with_codes(features)
        return self.of_logits(code_logits.float(), batch)

    def of_logits(self, code_logits: Tensor, batch: Batch) -> Tensor:
        """Return the loss on codes. Shape: code logits (B, Q, V, L) → ()"""
        assert batch.codes is not None
        return code_loss(code_logits, batch.codes, self.training.label_smoothing)

    def validate(
        self, classifier: Classifier, dataset: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        """Return loss, accuracy and perplexity of the codes. Shape: clips (N,)"""
        return score_codes(classifier, dataset, clips, self.training.batch_size)


@dataclass(frozen=True)
class JointObjective:
    """Multi-task learning of classes and codes, from one forward pass."""

    classes: ClassObjective
    codes: CodeObjective
    weight: float
    """Weight of the codes' loss, above 0; that of the classes has 1."""

    def loss(self, classifier: Classifier, features: Tensor, batch: Batch) -> Tensor:
        """Return loss on classes + weight · loss on codes. Shape: features (B, C, L) → ()"""
        logits, code_logits = classifier.with_codes(features)
        of_codes = self.codes.of_logits(code_logits.float(), batch)
        return self.classes.of_logits(logits.float(), batch) + self.weight * of_codes

    def validate(
        self, classifier: Classifier, dataset: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        """Return the metrics of both; `val/loss` is that of the classes. Shape: clips (N,)"""
        codes = self.codes.validate(classifier, dataset, clips)
        codes["val/code_loss"] = codes.pop("val/loss")
        return {**codes, **self.classes.validate(classifier, dataset, clips)}
