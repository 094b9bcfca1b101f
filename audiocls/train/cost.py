"""What a model costs: its parameters, and the multiply-accumulates of one clip."""

import functools

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from audiocls.models import Model


def num_params(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@functools.lru_cache(maxsize=256)
def macs(model: Model, in_shape: tuple[int, int], num_classes: int) -> int:
    """Multiply-accumulates of one forward pass over one clip, features to logits.

    Counted by torch's FlopCounterMode, which counts two operations each.
    """
    network = model.build(in_shape, num_classes).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *in_shape))
    return int(counter.get_total_flops()) // 2
