"""`Classifier`: a learned front end (if any), standardisation and a model; a checkpoint's weights.

Legend: B batch, C channels (mel bands), L frames, T samples, K classes, Q codebooks,
V entries of each.
"""

from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from audiocls.audio.features.normalise import Standardise


class CodeModel(Protocol):
    """A model with a second head, which predicts the codes of each frame."""

    def with_codes(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both heads.

        Shape: (B, C, L) → logits (B, K), code logits (B, Q, V, L)
        """


@runtime_checkable
class FollowsEpochs(Protocol):
    """A model that does not train the same layers in every epoch."""

    def begin_epoch(self, epoch: int) -> None:
        """Take note of the epoch that begins, counted from 0."""


class Classifier(nn.Module):
    """Everything that is trained, and the training clips' statistics that standardise its input."""

    def __init__(self, front: nn.Module, standardise: Standardise, model: nn.Module):
        super().__init__()
        self.front = front
        self.standardise = standardise
        self.model = model

    def begin_epoch(self, epoch: int) -> None:
        """Tell a model that trains other layers in other epochs which one begins, from 0."""
        model: object = self.model
        if isinstance(model, FollowsEpochs):
            model.begin_epoch(epoch)

    def features(self, inputs: Tensor) -> Tensor:
        """Return the model's input: standardised features.

        Shape: features (B, C, L), or waveforms (B, T) for a learned front end → (B, C, L)
        """
        return torch.as_tensor(self.standardise(self.front(inputs)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits.

        Shape: features (B, C, L), or waveforms (B, T) for a learned front end → (B, K)
        """
        return torch.as_tensor(self.model(self.features(inputs)))

    def with_codes(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both heads of a `CodeModel`, from its own input.

        Shape: (B, C, L) → logits (B, K), code logits (B, Q, V, L)
        """
        return cast(CodeModel, self.model).with_codes(features)
