"""What a model costs: its parameters, and the multiply-accumulates of one clip.

Legend: C channels, L frames, K classes.
"""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from audiocls.audio.features import Features
from audiocls.config import Config
from audiocls.models import Model

WHOLE = "Global"
"""FlopCounterMode's name for everything, inside a module or not."""


@dataclass(frozen=True)
class Spent:
    """What training took: updates, clips, passes over the clips of an update, seconds."""

    steps: int = 0
    samples: int = 0
    gradient_passes: int = 0
    wall_s: float = 0.0
    process_s: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.steps + other.steps,
            self.samples + other.samples,
            self.gradient_passes + other.gradient_passes,
            self.wall_s + other.wall_s,
            self.process_s + other.process_s,
        )


def num_params(model: nn.Module) -> int:
    """Parameters, frozen ones too: a model is no smaller for learning less."""
    return sum(p.numel() for p in model.parameters())


def macs_of(config: Config, num_classes: int) -> int:
    """Multiply-accumulates of all that is trained: the model, and a learned front end."""
    num_samples, rate = config.num_samples, config.data.sample_rate
    front = _learned_macs(config.features, rate, num_samples) if config.features.is_learned else 0
    return macs(config.model, config.in_shape, num_classes) + front


@functools.lru_cache(maxsize=64)
def _learned_macs(features: Features, sample_rate: int, num_samples: int) -> int:
    front_end = features.learned_front_end(sample_rate).eval()
    return macs_by_module(front_end, torch.zeros(1, num_samples)).get(WHOLE, 0)


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
