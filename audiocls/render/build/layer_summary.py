"""A model's layers, costs and remaining budget as a document."""

from dataclasses import asdict
from functools import partial
from typing import Any

from audiocls.formatting import NONE, format_count
from audiocls.render.document import Document, Facts, Title
from audiocls.render.table import Column, Table
from audiocls.training.cost import Layer, ModelSummary, leaf_layers

COLUMNS = (
    Column("layer", "name"),
    Column("kind", "word", drop=1),
    Column("output", "word", drop=2),
    Column("parameters"),
    Column("MACs"),
)
NUM_NAMED = 3
"""Layers named as the largest."""


def layers(summary: ModelSummary, depth: int) -> Document:
    """Return the document of a model, with the layers no deeper than `depth`, indented by depth."""
    config, model = summary.config, summary.config.model.name
    title = f"{model} on {config.features.name} features, {summary.num_classes} classes"
    rows = tuple(_row(layer, model) for layer in summary.layers if layer.depth <= depth)
    blocks = (
        Title(title),
        Table(COLUMNS, rows, label=model, caption=(title,)),
        Facts(tuple(totals(summary).items())),
    )
    return Document(model, blocks, partial(to_json, summary, depth))


def totals(summary: ModelSummary) -> dict[str, str]:
    """Return cost, largest layers and remaining budget of the whole network."""
    whole = summary.layers[0]
    facts = {
        "parameters": f"{whole.params:,}; most in {_largest(summary, 'params')}",
        "MACs per clip": f"{format_count(whole.macs)}; most in {_largest(summary, 'macs')}",
    }
    names = {"params": "parameters", "macs": "MACs per clip"}
    for measure, limit in _budget(summary).items():
        if limit is not None:
            remaining = _remaining(_counted(summary, measure), limit)
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


def _counted(summary: ModelSummary, measure: str) -> int:
    """Return parameters, or multiply-accumulates as the budget counts them."""
    if measure == "macs" and summary.config.budget.counting != "products":
        from audiocls.training.budget import counted_macs

        return counted_macs(summary.config, summary.num_classes)
    return int(getattr(summary.layers[0], measure))


def _row(layer: Layer, model: str) -> tuple[str, ...]:
    name = "  " * layer.depth + (layer.name.rpartition(".")[2] or model)
    shape = NONE if layer.shape is None else " × ".join(map(str, layer.shape))
    return name, layer.kind, shape, f"{layer.params:,}", format_count(layer.macs)


def _largest(summary: ModelSummary, measure: str) -> str:
    """Return `stages.3 71 %, stages.2 20 %`."""
    total = max(1, getattr(summary.layers[0], measure))
    leaves = leaf_layers(summary.layers, depth=2)
    costs = sorted(((getattr(layer, measure), layer.name) for layer in leaves), reverse=True)
    return ", ".join(f"{name} {cost / total:.0%}" for cost, name in costs[:NUM_NAMED] if cost)


def _remaining(cost: int, limit: int) -> str:
    if cost > limit:
        return f"exceeded by {cost - limit:,} ({cost / limit:.3g} times as much)"
    return f"{limit - cost:,} left ({cost / limit:.0%} used)"
