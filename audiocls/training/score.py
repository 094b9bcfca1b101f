"""Scoring: logits of unaugmented clips, in the order given, and their metrics.

Legend: N clips, K classes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.batches import codes_of, scoring_batches
from audiocls.audio.dataset import AudioDataset, num_batches
from audiocls.audio.stored_features import MOST_BYTES
from audiocls.config.training import Training
from audiocls.training import metrics
from audiocls.training.classifier import Classifier
from audiocls.training.losses import code_accuracy, code_loss, loss_of

ScoringBatch = tuple[Tensor, Tensor]
"""Inputs of a classifier, and targets."""


@dataclass(frozen=True)
class Scores:
    """Logits (N, K) and targets, (N,) int64 or (N, K) float32 of 0 and 1, on the CPU."""

    logits: Tensor
    targets: Tensor
    training: Training = field(default_factory=Training)
    """Options of the loss and of the selection metric."""

    @property
    def is_multi_label(self) -> bool:
        """Whether a clip may have several labels."""
        return self.targets.ndim == 2

    def loss(self) -> float:
        """Return the mean loss per clip in nats, without label smoothing."""
        kind, gamma = self.training.loss, self.training.focal_gamma
        return float(loss_of(self.logits, self.targets, kind, 0.0, gamma, self.is_multi_label))

    def validation(self) -> dict[str, float]:
        """Return the metrics `val/…` of an epoch: accuracy or mAP, selection metric, loss."""
        # Not every metric: this is computed after each epoch.
        usual = "map" if self.is_multi_label else "accuracy"
        names = {usual, self.training.select.removeprefix("val/")} - {"loss", "last"}
        values = metrics.validation(self.logits, self.targets, self.is_multi_label, sorted(names))
        named = {f"val/{name}": value for name, value in (values | self._own()).items()}
        return named | {"val/loss": self.loss()}

    def test(self, split: str = "test") -> dict[str, float]:
        """Return every defined metric, named `test/…` or after a further `split`, and the loss."""
        values = metrics.scalars(self.logits, self.targets, self.is_multi_label)
        named = {f"{split}/{name}": value for name, value in (values | self._own()).items()}
        return named | {f"{split}/loss": self.loss()}

    def _own(self) -> dict[str, float]:
        """Return the user's own metrics; NaN is undefined, and omitted."""
        known = {each.short: each.of(self.logits, self.targets) for each in self.training.metrics}
        return {name: value for name, value in known.items() if not math.isnan(value)}


@dataclass
class KeptBatches:
    """The scoring batches of clips that are scored after each epoch: read once where they fit.

    Waveforms and features that are not cached are read each time.
    """

    _source: tuple[object, ...] = ()
    _batches: list[ScoringBatch] = field(default_factory=list)

    def of(
        self, dataset: AudioDataset, clips: NDArray[np.int64], batch_size: int
    ) -> Iterable[ScoringBatch]:
        """Return what `scoring_batches` yields; `clips` must not be changed in place meanwhile.

        Shape: clips (N,) → as `scoring_batches`
        """
        batches, source = scoring_batches(dataset, clips, batch_size), (dataset, clips, batch_size)
        if dataset.features is None or len(clips) * dataset.features[0].nbytes > MOST_BYTES:
            return batches
        if not self._source or any(a is not b for a, b in zip(source, self._source, strict=True)):
            self._source, self._batches = source, list(batches)
        return self._batches


def score(
    classifier: Classifier, dataset: AudioDataset, clips: NDArray[np.int64], training: Training
) -> Scores:
    """Return the logits of `clips` (numbers in the data set), as `score_batches` does.

    Shape: clips (N,) → logits (N, K), targets (N,) or (N, K)
    """
    batches = scoring_batches(dataset, clips, training.batch_size)
    return score_batches(classifier, batches, training)


@torch.inference_mode()
def score_batches(
    classifier: Classifier, batches: Iterable[ScoringBatch], training: Training
) -> Scores:
    """Return the logits of batches, one after the other, in float32 whatever the precision.

    The classifier is left in evaluation mode.

    Shape: → logits (N, K), targets (N,) or (N, K)
    """
    classifier.eval()
    logits, targets = [], []
    for inputs, batch_targets in batches:
        logits.append(classifier(inputs).float().cpu())
        targets.append(batch_targets.cpu())
    return Scores(torch.cat(logits), torch.cat(targets), training)


@torch.inference_mode()
def score_codes(
    classifier: Classifier, dataset: AudioDataset, clips: NDArray[np.int64], batch_size: int
) -> dict[str, float]:
    """Return how well the codes of the next frame are predicted.

    `val/loss` in nats per frame, summed over codebooks; `val/code_accuracy` the share of codes that
    are right; `val/code_perplexity` of one code, 1 at best. Needs a data set with codes.

    Shape: clips (N,)
    """
    classifier.eval()
    loss, accuracy = 0.0, 0.0
    for chunk in np.array_split(clips, num_batches(len(clips), batch_size)):
        codes = codes_of(dataset, chunk)
        assert codes is not None
        _, code_logits = classifier.with_codes(classifier.features(dataset.unaugmented(chunk)))
        share = len(chunk) / len(clips)
        loss += share * float(code_loss(code_logits.float(), codes, 0.0))
        accuracy += share * float(code_accuracy(code_logits, codes))
        num_codebooks = codes.shape[1]
    return {
        "val/loss": loss,
        "val/code_accuracy": accuracy,
        "val/code_perplexity": float(np.exp(loss / num_codebooks)),
    }
