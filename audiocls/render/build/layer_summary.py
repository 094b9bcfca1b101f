"""A model's layers as a table, as facts and as JSON."""

from dataclasses import asdict
from typing import Any

from audiocls.formatting import NONE, format_count
from audiocls.training.layer_summary import Layer, ModelSummary, leaf_layers

COLUMNS = ("layer", "kind", "output", "parameters", "MACs")
TEXT_COLUMNS = COLUMNS[:3]
DROPPABLE_COLUMNS = ("kind", "output")
NUM_NAMED = 3
"""Layers named as the largest."""


def title(summary: ModelSummary) -> str:
    """Return the title of the table of layers."""
    config = summary.config
    return f"{config.model.name} on {config.features.name} features, {summary.num_classes} classes"


def rows(summary: ModelSummary, depth: int) -> list[tuple[str, ...]]:
    """Return a row per layer no deeper than `depth`, indented by depth."""
    model = summary.config.model.name
    return [_row(layer, model) for layer in summary.layers if layer.depth <= depth]


def totals(summary: ModelSummary) -> dict[str, str]:
    """Return cost, largest layers and remaining budget of the whole network."""
    layers, whole = summary.layers, summary.layers[0]
    facts = {
        "parameters": f"{whole.params:,}; most in {_largest(layers, 'params')}",
        "MACs per clip": f"{format_count(whole.macs)}; most in {_largest(layers, 'macs')}",
    }
    names = {"params": "parameters", "macs": "MACs per clip"}
    for measure, limit in _budget(summary).items():
        if limit is not None:
            remaining = _remaining(getattr(whole, measure), limit)
            facts[f"budget of {names[measure]}"] = f"{limit:,}: {remaining}"
    return facts


def to_json(summary: ModelSummary, depth: int) -> dict[str, Any]:
    """Return options, costs and the layers no deeper than `depth`."""
    config, whole = summary.config, summary.layers[0]
    return {
        "model": config.model.model_dump(mode="json"),
        "features": config.features.model_dump(mode="json"),
        "num_classes": summary.num_classes,
        "params": whole.params,
        "macs": whole.macs,
        "budget": _budget(summary),
        "layers": [asdict(layer) for layer in summary.layers if layer.depth <= depth],
    }


def _budget(summary: ModelSummary) -> dict[str, int | None]:
    budget = summary.config.budget
    return {"params": budget.max_params, "macs": budget.max_macs}


def _row(layer: Layer, model: str) -> tuple[str, ...]:
    name = "  " * layer.depth + (layer.name.rpartition(".")[2] or model)
    shape = NONE if layer.shape is None else " × ".join(map(str, layer.shape))
    return name, layer.kind, shape, f"{layer.params:,}", format_count(layer.macs)


def _largest(layers: list[Layer], measure: str) -> str:
    """Return `stages.3 71 %, stages.2 20 %`."""
    total = max(1, getattr(layers[0], measure))
    costs = sorted(
        ((getattr(layer, measure), layer.name) for layer in leaf_layers(layers, 2)), reverse=True
    )
    return ", ".join(f"{name} {cost / total:.0%}" for cost, name in costs[:NUM_NAMED] if cost)


def _remaining(cost: int, limit: int) -> str:
    if cost > limit:
        return f"exceeded by {cost - limit:,} ({cost / limit:.3g} times as much)"
    return f"{limit - cost:,} left ({cost / limit:.0%} used)"
