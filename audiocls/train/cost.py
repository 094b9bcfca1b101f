"""What a model costs: its parameters, and the multiply-accumulates of one clip.

Legend: C channels, L frames, K classes.
"""

import functools

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from audiocls.models import Model

WHOLE = "Global"
"""FlopCounterMode's name for everything, inside a module or not."""


def num_params(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@functools.lru_cache(maxsize=256)
def macs(model: Model, in_shape: tuple[int, int], num_classes: int) -> int:
    """Multiply-accumulates of one forward pass over one clip, features (C, L) to logits (K,)."""
    network = model.build(in_shape, num_classes).eval()
    return macs_by_module(network, torch.zeros(1, *in_shape)).get(WHOLE, 0)


def macs_by_module(network: nn.Module, inputs: Tensor) -> dict[str, int]:
    """Multiply-accumulates of `network(inputs)`, of the whole and of each module that was called.

    Counted by torch's FlopCounterMode, which counts two operations each. A module's name is its
    class for the network itself and the path from there for what is inside: `Net.stages.0`.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(inputs)
    return {name: sum(ops.values()) // 2 for name, ops in counter.get_flop_counts().items()}
