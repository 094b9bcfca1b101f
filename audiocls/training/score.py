"""Scoring: logits of clips, unchanged and in their own order, and what follows from them.

Legend: N clips, K classes, Q codebooks, V code words, L frames.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.batches import AudioDataset, codes_of, num_batches, scoring_batches
from audiocls.config.training import Training
from audiocls.training import metrics
from audiocls.training.classifier import Classifier
from audiocls.training.losses import code_accuracy, code_loss, loss_of


@dataclass(frozen=True)
class Scores:
    """Logits (N, K) and targets, (N,) int64 or (N, K) float32, on the CPU."""

    logits: Tensor
    targets: Tensor
    training: Training = field(default_factory=Training)

    @property
    def is_multi_label(self) -> bool:
        return self.targets.ndim == 2

    def loss(self) -> float:
        """Mean loss a clip, without label smoothing: cross-entropy is in nats."""
        kind, gamma = self.training.loss, self.training.focal_gamma
        return float(loss_of(self.logits, self.targets, kind, 0.0, gamma, self.is_multi_label))

    def validation(self) -> dict[str, float]:
        """What every epoch is judged by: cheap, and what `train.select` asks for."""
        usual = "map" if self.is_multi_label else "accuracy"
        names = {usual, self.training.select.removeprefix("val/")} - {"loss", "last"}
        found = metrics.validation(self.logits, self.targets, self.is_multi_label, sorted(names))
        return {f"val/{name}": value for name, value in found.items()} | {"val/loss": self.loss()}

    def test(self) -> dict[str, float]:
        """Every metric there is, of the test clips."""
        found = metrics.scalars(self.logits, self.targets, self.is_multi_label)
        return {f"test/{name}": value for name, value in found.items()} | {"test/loss": self.loss()}


@torch.inference_mode()
def score(
    classifier: Classifier, sounds: AudioDataset, clips: NDArray[np.int64], training: Training
) -> Scores:
    """The classifier's logits on `clips`, in full precision."""
    classifier.eval()
    logits, targets = [], []
    for inputs, batch_targets in scoring_batches(sounds, clips, training.batch_size):
        logits.append(classifier(inputs).float().cpu())
        targets.append(batch_targets.cpu())
    return Scores(torch.cat(logits), torch.cat(targets), training)


@torch.inference_mode()
def score_codes(
    classifier: Classifier, sounds: AudioDataset, clips: NDArray[np.int64], batch_size: int
) -> dict[str, float]:
    """How well the next frame's codes are predicted: loss summed over codebooks, perplexity of one
    code and the share of codes that are right.
    """
    classifier.eval()
    loss, accuracy = 0.0, 0.0
    for portion in np.array_split(clips, num_batches(len(clips), batch_size)):
        codes = codes_of(sounds, portion)
        assert codes is not None
        _, code_logits = classifier.with_codes(classifier.features(sounds.unaugmented(portion)))
        share = len(portion) / len(clips)
        loss += share * float(code_loss(code_logits.float(), codes, 0.0))
        accuracy += share * float(code_accuracy(code_logits, codes))
        num_codebooks = codes.shape[1]
    return {
        "val/loss": loss,
        "val/code_accuracy": accuracy,
        "val/code_perplexity": float(np.exp(loss / num_codebooks)),
    }
