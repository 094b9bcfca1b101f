"""`Classifier`: a learned front end (if any), standardised features, a model; all of a checkpoint.

Legend: B batch, C channels (mel bands), L frames, T samples, K classes, Q codebooks,
V entries of each.
"""

from typing import Protocol, cast

import torch
from torch import Tensor, nn

from audiocls.audio.features.normalise import Standardise


class CodeModel(Protocol):
    """A model with a second head, which foretells the codes of each frame."""

    def with_codes(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: (B, C, L) → logits (B, K), code logits (B, Q, V, L)"""


class Classifier(nn.Module):
    """What is trained, and the training clips' statistics that its input is standardised by."""

    def __init__(self, front: nn.Module, standardise: Standardise, model: nn.Module):
        super().__init__()
        self.front = front
        self.standardise = standardise
        self.model = model

    def features(self, inputs: Tensor) -> Tensor:
        """What the model hears.

        Shape: features (B, C, L), or waves (B, T) for a learned front end → (B, C, L)
        """
        return torch.as_tensor(self.standardise(self.front(inputs)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits.

        Shape: features (B, C, L), or waves (B, T) for a learned front end → (B, K)
        """
        return torch.as_tensor(self.model(self.features(inputs)))

    def with_codes(self, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Both heads of a model that has two, from features as the model hears them.

        Shape: (B, C, L) → logits (B, K), code logits (B, Q, V, L)
        """
        return cast(CodeModel, self.model).with_codes(heard)
