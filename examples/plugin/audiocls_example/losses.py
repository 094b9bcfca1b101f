"""A loss. Legend: B batch, K classes."""

import torch.nn.functional as F
from torch import Tensor


def tempered(logits: Tensor, targets: Tensor, temperature: float = 2.0) -> Tensor:
    """Cross-entropy of logits divided by a temperature: (B, K), (B,) or (B, K) → (B,)."""
    return F.cross_entropy(logits / temperature, targets, reduction="none")
