"""What the project of `autrainer_project.py` names: features and model of the other arms."""

from autrainer.core.structs import AbstractDataItem
from autrainer.models import AbstractModel
from autrainer.transforms import AbstractTransform
from peer_trials import LogMel, network
from torch import Tensor


class Features(AbstractTransform):
    """Log-mel bands (1, F, L) of a waveform (1, T)."""

    def __init__(self, order: int = 0):
        super().__init__(order=order)
        self._log_mel = LogMel()

    def __call__(self, item: AbstractDataItem) -> AbstractDataItem:
        item.features = self._log_mel(item.features)
        return item


class ConvNeXt(AbstractModel):
    """The recipe's model, from (B, 1, F, L)."""

    def __init__(self, output_dim: int, dropout: float):
        super().__init__(output_dim, None)
        self.dropout = dropout
        self.network = network(dropout, output_dim)

    def embeddings(self, features: Tensor) -> Tensor:
        raise NotImplementedError("no arm asks for embeddings")

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.network(features.squeeze(1))
        return logits
