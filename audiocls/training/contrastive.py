"""Contrastive learning of clips without labels: COLA's and SimCLR's heads, losses and objective.

Saeed, Grangier and Zeghidour, "Contrastive learning of general-purpose audio representations"
(ICASSP 2021, arXiv 2010.10915); Chen et al., "A simple framework for contrastive learning of visual
representations" (ICML 2020, arXiv 2002.05709). Both as audax has them: one Linear behind the mean.

Legend: B clips, each with two views; C channels, L frames, D width of the model, E embedding.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.spec_augment import draw_masks, masked
from audiocls.audio.batches import Batch
from audiocls.audio.dataset import AudioDataset, num_batches
from audiocls.audio.views import Views
from audiocls.config.training import SelfSupervision
from audiocls.errors import ConfigError
from audiocls.training.classifier import Classifier

WEIGHT_STD = 0.01
"""Of the bilinear form's first weights."""
SCORING_SEED = 0
"""Of the views that validation scores, which are the same in each epoch."""


class ContrastiveHead(nn.Module):
    """In place of a model's last layer: embeddings, and COLA's bilinear form if `is_bilinear`.

    >>> ContrastiveHead(8, 4, is_bilinear=True)(torch.zeros(2, 8)).shape
    torch.Size([2, 4])
    """

    def __init__(self, width: int, embedding: int, is_bilinear: bool):
        super().__init__()
        self.projection = nn.Linear(width, embedding, bias=False)
        self.is_bilinear = is_bilinear
        if is_bilinear:
            self.norm = nn.LayerNorm(embedding, eps=1e-6)
            self.similarity = nn.Parameter(torch.empty(embedding, embedding))
            nn.init.normal_(self.similarity, std=WEIGHT_STD)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return embeddings; before a bilinear form normalised and in ±1. Shape: (B, D) → (B, E)"""
        projected: Tensor = self.projection(encoded)
        return torch.tanh(self.norm(projected)) if self.is_bilinear else projected

    def similarities(self, first: Tensor, second: Tensor, temperature: float) -> Tensor:
        """Return how alike each first view is to each second one.

        By the bilinear form, or their cosine over `temperature`.

        Shape: (B, E), (B, E) → (B, B)
        """
        if self.is_bilinear:
            return first @ self.similarity @ second.T
        return F.normalize(first, dim=1) @ F.normalize(second, dim=1).T / temperature


def paired_loss(similarities: Tensor) -> Tensor:
    """Return COLA's loss: cross-entropy of finding the second view of each first one.

    Shape: (B, B) → ()

    >>> paired_loss(torch.zeros(4, 4)).exp().round().item()
    4.0
    """
    return F.cross_entropy(
        similarities, torch.arange(len(similarities), device=similarities.device)
    )


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return SimCLR's loss: of finding each view's other one among all others of the batch.

    Shape: (B, E), (B, E) → ()

    >>> nt_xent(torch.ones(2, 3), torch.ones(2, 3), temperature=0.1).exp().round().item()
    3.0
    """
    embeddings = F.normalize(torch.cat([first, second]), dim=1)
    similarities = embeddings @ embeddings.T / temperature
    itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    partners = torch.arange(len(embeddings), device=embeddings.device).roll(len(first))
    return F.cross_entropy(similarities.masked_fill(itself, -torch.inf), partners)


@dataclass(frozen=True)
class ContrastiveObjective:
    """To know the two views of a clip among those of a batch."""

    ssl: SelfSupervision
    batch_size: int

    def loss(self, classifier: Classifier, features: Tensor, batch: Batch) -> Tensor:
        """Return the loss of a batch of two views. Shape: features (2 B, C, L) → ()"""
        return self._loss_and_hits(classifier, self._masked(features, batch.draws))[0]

    @torch.inference_mode()
    def validate(
        self, classifier: Classifier, dataset: AudioDataset, clips: NDArray[np.int64]
    ) -> dict[str, float]:
        """Return `val/loss` and `val/view_accuracy`, the share of first views whose own is nearest.

        Shape: clips (N,)
        """
        classifier.eval()
        views, loss, accuracy = Views(self.ssl.noise), 0.0, 0.0
        for chunk in np.array_split(clips, num_batches(len(clips), self.batch_size)):
            batch = views.batch(dataset, chunk, ClipRNG(SCORING_SEED, torch.from_numpy(chunk)))
            value, hits = self._loss_and_hits(classifier, classifier.features(batch.inputs))
            loss += float(value) * len(chunk) / len(clips)
            accuracy += float(hits) * len(chunk) / len(clips)
        return {"val/loss": loss, "val/view_accuracy": accuracy}

    def _masked(self, features: Tensor, draws: ClipRNG) -> Tensor:
        """Mask the second views, under SimCLR with the same masks both. Shape: (2 B, C, L)"""
        options = Augment(freq_mask=self.ssl.freq_mask, time_mask=self.ssl.time_mask)
        masks = draw_masks(options, features.shape[1:], draws.on(features.device))
        first, second = features.chunk(2)
        first = masked(first, masks) if self.ssl.mode == "simclr" else first
        return torch.cat([first, masked(second, masks)])

    def _loss_and_hits(self, classifier: Classifier, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss and the share of first views found. Shape: (2 B, C, L) → (), ()"""
        head = classifier.model.head
        assert isinstance(head, ContrastiveHead), "put_head comes first"
        embeddings: Tensor = classifier.model(features).to(head.projection.weight.dtype)
        first, second = embeddings.chunk(2)
        similarities = head.similarities(first, second, self.ssl.temperature)
        is_paired = self.ssl.mode == "cola"
        loss = (
            paired_loss(similarities) if is_paired else nt_xent(first, second, self.ssl.temperature)
        )
        same_clip = torch.arange(len(first), device=first.device)
        return loss, (similarities.argmax(dim=1) == same_clip).double().mean()


def put_head(classifier: Classifier, ssl: SelfSupervision) -> None:
    """Replace the last layer of the model by one that makes embeddings.

    Raises:
        ConfigError: the last layer is no Linear, whose input would be the embedding's.
    """
    last = classifier.model.head
    if not isinstance(last, nn.Linear):
        problem = (
            f"mode: got {ssl.mode}, but the model's last layer is no Linear; use another model"
        )
        raise ConfigError("ssl", [problem])
    is_bilinear = ssl.mode == "cola" and ssl.similarity == "bilinear"
    head = ContrastiveHead(last.in_features, ssl.embedding, is_bilinear)
    classifier.model.head = head.to(last.weight.device)
