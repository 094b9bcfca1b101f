"""`Classifier`: standardised features into a model; what a checkpoint holds.

Legend: B batch, C channels (mel bands), L frames, K classes.
"""

import torch
from torch import Tensor, nn

from audiocls.audio.features.standardise import Standardise


class Classifier(nn.Module):
    """A model and the training clips' statistics that its input is standardised by."""

    def __init__(self, standardise: Standardise, model: nn.Module):
        super().__init__()
        self.standardise = standardise
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        """Logits of features as the front end gives them.

        Shape: features (B, C, L) → (B, K)
        """
        return torch.as_tensor(self.model(self.standardise(features)))
