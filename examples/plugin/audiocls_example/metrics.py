"""A metric. Legend: N clips, K classes."""

from torch import Tensor


def top2(logits: Tensor, targets: Tensor) -> float:
    """Share of clips whose class is one of the two likeliest: (N, K), (N,) → a number."""
    likeliest = logits.topk(2).indices
    return float((likeliest == targets[:, None]).any(1).double().mean())
