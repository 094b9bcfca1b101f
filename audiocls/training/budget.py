"""Whether a model is within its budget, by whichever count of multiply-accumulates it is set in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from audiocls.config import Config
from audiocls.errors import OverBudget
from audiocls.training.cost import (
    largest_layers,
    layer_summary,
    macs_of,
    num_params,
    run_hooked,
    trained_network,
)

NORMALISATIONS = (_NormBase, nn.LayerNorm)
UNITS = {"max_params": "parameters", "max_macs": "MACs a clip"}
NUM_NAMED = 3
"""Layers named in the message of an exceeded budget."""


@dataclass(frozen=True)
class Excess:
    """One limit of the budget that a model exceeds."""

    limit_name: str
    """`max_params` or `max_macs`."""
    value: int
    limit: int

    @property
    def share(self) -> str:
        """How much too large the model is, such as `11 %`."""
        return f"{self.value / self.limit - 1:.0%}".replace("%", " %")


def excesses(config: Config, network: nn.Module, num_classes: int) -> list[Excess]:
    """Return the limits of `config.budget` that a trial's network exceeds."""
    budget = config.budget
    values = {"max_params": num_params(network)}
    if budget.max_macs is not None:
        values["max_macs"] = counted_macs(config, num_classes)
    limits = {name: getattr(budget, name) for name in values}
    return [
        Excess(name, values[name], limit)
        for name, limit in limits.items()
        if limit is not None and values[name] > limit
    ]


def require_within_budget(config: Config, classifier: nn.Module, num_classes: int) -> None:
    """Raise `OverBudget` with the excess over `config.budget` and the largest layers, if any."""
    over = excesses(config, classifier, num_classes)
    problems = [
        f"{each.limit_name}: the model {config.model.name} needs {each.value:,}, "
        f"{each.value - each.limit:,} ({each.value / each.limit - 1:.0%}) above {each.limit:,}"
        for each in over
    ]
    if problems:
        network = config.model.build(config.in_shape, num_classes)
        largest = largest_layers(layer_summary(network, torch.zeros(1, *config.in_shape)))
        dominant = ", ".join(
            f"{name} ({p:,} parameters, {m:,} MACs)" for name, p, m in largest[:NUM_NAMED]
        )
        faults = [*problems, f"what dominates: {dominant}"]
        raise OverBudget("budget", faults, in_words(over))


def in_words(over: Sequence[Excess]) -> str:
    """Return `over budget by 11 % (11,100 parameters, allowed are 10,000)`; empty for none."""
    return " and ".join(
        f"over budget by {each.share} ({each.value:,} {UNITS[each.limit_name]}, allowed are "
        f"{each.limit:,})"
        for each in over
    )


def counted_macs(config: Config, num_classes: int) -> int:
    """Return the multiply-accumulates per clip as `config.budget` counts them."""
    if config.budget.counting == "products":
        return macs_of(config, num_classes)
    network, inputs = trained_network(config, num_classes)
    return macs_of(config, num_classes) + normalisation_ops(network.eval(), inputs)


def normalisation_ops(network: nn.Module, inputs: Tensor) -> int:
    """Return what thop counts for layers of normalisation: 2 an element, 4 with scale and shift.

    Thop is the counter of many papers on small models: github.com/Lyken17/pytorch-OpCounter.

    Shape: inputs (1, …), one clip

    >>> normalisation_ops(nn.Sequential(nn.BatchNorm1d(3)).eval(), torch.zeros(1, 3, 5))
    60
    """
    counts: list[int] = []

    def count(module: nn.Module, given: tuple[Tensor, ...], _: Any) -> None:
        is_scaled = getattr(module, "affine", False) or getattr(module, "elementwise_affine", False)
        counts.append((4 if is_scaled else 2) * given[0].numel())

    layers = [module for module in network.modules() if isinstance(module, NORMALISATIONS)]
    run_hooked(network, inputs, layers, count)
    return sum(counts)
