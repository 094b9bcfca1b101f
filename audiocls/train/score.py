"""Scoring: logits of clips, unchanged and in their own order, and what follows from them.

Legend: N clips, K classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from audiocls.audio.batches import scoring_batches
from audiocls.train.parts import Parts


@dataclass(frozen=True)
class Scores:
    """Logits (N, K) and labels (N,) on the CPU."""

    logits: Tensor
    labels: Tensor

    def metrics(self, prefix: str) -> dict[str, float]:
        """Accuracy in 0 … 1 and mean cross-entropy in nats, such as `val/accuracy`."""
        is_right = self.logits.argmax(1) == self.labels
        loss = F.cross_entropy(self.logits, self.labels)
        return {
            f"{prefix}/accuracy": float(is_right.double().mean()),
            f"{prefix}/loss": float(loss),
        }


@torch.inference_mode()
def score(parts: Parts, clips: NDArray[np.int64]) -> Scores:
    """The classifier's logits on `clips`, in full precision."""
    parts.classifier.eval()
    logits, labels = [], []
    for features, batch_labels in scoring_batches(
        parts.sounds, clips, parts.config.train.batch_size
    ):
        logits.append(parts.classifier(features.to(parts.device)).float().cpu())
        labels.append(batch_labels)
    return Scores(torch.cat(logits), torch.cat(labels))
