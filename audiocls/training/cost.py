"""The cost of a model (parameters, multiply-accumulates per clip), its budget, and training cost.

Legend: C channels, L frames, T samples, K classes.
"""

import functools
from dataclasses import dataclass

import torch

from audiocls.audio.features import Features
from audiocls.config import Config
from audiocls.errors import ConfigError
from audiocls.models import Model
from audiocls.training.classifier import Classifier
from audiocls.training.layer_summary import (
    WHOLE,
    largest_layers,
    layer_summary,
    macs_by_module,
    num_params,
)

NUM_NAMED = 3
"""Layers named in the message of an exceeded budget."""


@dataclass(frozen=True)
class Spent:
    """The cost of a training."""

    steps: int = 0
    """Updates of the weights."""
    samples: int = 0
    """Clips trained on, counted once per epoch."""
    gradient_passes: int = 0
    """Forward-backward passes, two per step under SAM."""
    wall_s: float = 0.0
    process_s: float = 0.0
    """CPU seconds of the process."""

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.steps + other.steps,
            self.samples + other.samples,
            self.gradient_passes + other.gradient_passes,
            self.wall_s + other.wall_s,
            self.process_s + other.process_s,
        )


def require_within_budget(config: Config, classifier: Classifier, num_classes: int) -> None:
    """Raise `ConfigError` with the excess over `config.budget` and the largest layers, if any."""
    budget = config.budget
    costs = {
        "max_params": (num_params(classifier), budget.max_params),
        "max_macs": (macs_of(config, num_classes), budget.max_macs),
    }
    problems = [
        f"{name}: the model {config.model.name} needs {value:,}, {value - limit:,} "
        f"({value / limit - 1:.0%}) above {limit:,}"
        for name, (value, limit) in costs.items()
        if limit is not None and value > limit
    ]
    if problems:
        network = config.model.build(config.in_shape, num_classes)
        largest = largest_layers(layer_summary(network, torch.zeros(1, *config.in_shape)))
        parts = ", ".join(
            f"{name} ({p:,} parameters, {m:,} MACs)" for name, p, m in largest[:NUM_NAMED]
        )
        raise ConfigError("budget", [*problems, f"what dominates: {parts}"])


def macs_of(config: Config, num_classes: int) -> int:
    """Return the multiply-accumulates per clip of the model and of a learned front end."""
    num_samples, rate = config.num_samples, config.data.sample_rate
    front = _learned_macs(config.features, rate, num_samples) if config.features.is_learned else 0
    return macs(config.model, config.in_shape, num_classes) + front


@functools.lru_cache(maxsize=64)
def _learned_macs(features: Features, sample_rate: int, num_samples: int) -> int:
    """Return the multiply-accumulates of one forward pass of the front end, (1, T) to (1, C, L)."""
    front_end = features.learned_front_end(sample_rate).eval()
    return macs_by_module(front_end, torch.zeros(1, num_samples)).get(WHOLE, 0)


@functools.lru_cache(maxsize=256)
def macs(model: Model, in_shape: tuple[int, int], num_classes: int) -> int:
    """Return the multiply-accumulates of one forward pass, features (1, C, L) to logits (1, K)."""
    network = model.build(in_shape, num_classes).eval()
    return macs_by_module(network, torch.zeros(1, *in_shape)).get(WHOLE, 0)
