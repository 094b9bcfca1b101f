"""`Classifier`: a learned front end (if any), standardised features, a model; all of a checkpoint.

Legend: B batch, C channels (mel bands), L frames, T samples, K classes.
"""

import torch
from torch import Tensor, nn

from audiocls.audio.features.standardise import Standardise


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
