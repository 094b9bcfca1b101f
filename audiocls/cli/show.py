"""`audiocls show`: a recipe's model, layer by layer, before anything is trained."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiocls import console, library
from audiocls.cli.options import JsonOption, cache_folder
from audiocls.config import Config, resolve
from audiocls.errors import DataError, UsageError
from audiocls.formatting import NONE, format_count

if TYPE_CHECKING:
    from audiocls.training.layer_summary import Layer

COLUMNS = ("layer", "kind", "output", "parameters", "MACs")
EXPENDABLE = ("kind", "output")
MOST_NAMED = 3
"""Layers named as dominating."""

Budget = dict[str, int | None]
"""What is limited (`params`, `macs`) → the most that is allowed."""


def show(
    recipe: Annotated[str, typer.Argument(help="A recipe on the shelf, or a path.")],
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Such as model.dropout=0.1.")
    ] = None,
    depth: Annotated[int, typer.Option("--depth", min=0, help="Layers within layers.")] = 2,
    classes: Annotated[
        int | None, typer.Option("--classes", min=1, help="Default: as many as the data set has.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A recipe's model: output shapes, parameters, MACs of one clip, what the budget leaves."""
    config = resolve([library.recipe(recipe), library.overrides(assignments or [])], recipe)
    num_classes = classes or _num_classes(config)
    layers = _layers(config, num_classes)
    if as_json:
        return console.show_json(_facts(config, num_classes, layers, depth))
    console.show_table(
        f"{config.model.name} on {config.features.name} features, {num_classes} classes",
        COLUMNS,
        [_row(layer, config.model.name) for layer in layers if layer.depth <= depth],
        text=COLUMNS[:3],
        droppable=EXPENDABLE,
    )
    return console.show_facts(_totals(config, layers))


def _num_classes(config: Config) -> int:
    try:
        return len(config.data.table(cache_folder()).labels)
    except DataError as error:
        raise UsageError(
            f"how many classes the model has to tell apart is not known without the data: {error}\n"
            "Give the folder (data.root=DIR), or the number of classes: --classes 10"
        ) from error


def _layers(config: Config, num_classes: int) -> "list[Layer]":
    from audiocls.training.layer_summary import layer_summary, trained_network

    return layer_summary(*trained_network(config, num_classes))


def _budget(config: Config) -> Budget:
    return {"params": config.budget.max_params, "macs": config.budget.max_macs}


def _row(layer: "Layer", model: str) -> tuple[str, ...]:
    name = "  " * layer.depth + (layer.name.rpartition(".")[2] or model)
    return name, layer.kind, _shape(layer.shape), f"{layer.params:,}", format_count(layer.macs)


def _shape(shape: tuple[int, ...] | None) -> str:
    return NONE if shape is None else " × ".join(map(str, shape))


def _totals(config: Config, layers: "list[Layer]") -> dict[str, str]:
    whole = layers[0]
    costs = {"params": whole.params, "macs": whole.macs}
    names = {"params": "parameters", "macs": "MACs per clip"}
    totals = {
        "parameters": f"{whole.params:,}; most in {_largest(layers, 'params')}",
        "MACs per clip": f"{format_count(whole.macs)}; most in {_largest(layers, 'macs')}",
    }
    for what, limit in _budget(config).items():
        if limit is not None:
            totals[f"budget of {names[what]}"] = f"{limit:,}: {_left(costs[what], limit)}"
    return totals


def _largest(layers: "list[Layer]", what: str) -> str:
    """`stages.3 71 %, stages.2 20 %`."""
    from audiocls.training.layer_summary import leaf_layers

    total = max(1, getattr(layers[0], what))
    costs = sorted(
        ((getattr(layer, what), layer.name) for layer in leaf_layers(layers, 2)), reverse=True
    )
    return ", ".join(f"{name} {cost / total:.0%}" for cost, name in costs[:MOST_NAMED] if cost)


def _left(cost: int, limit: int) -> str:
    if cost > limit:
        return f"exceeded by {cost - limit:,} ({cost / limit:.3g} times as much)"
    return f"{limit - cost:,} left ({cost / limit:.0%} used)"


def _facts(config: Config, num_classes: int, layers: "list[Layer]", depth: int) -> dict[str, Any]:
    from dataclasses import asdict

    whole = layers[0]
    return {
        "model": config.model.model_dump(mode="json"),
        "features": config.features.model_dump(mode="json"),
        "num_classes": num_classes,
        "params": whole.params,
        "macs": whole.macs,
        "budget": _budget(config),
        "layers": [asdict(layer) for layer in layers if layer.depth <= depth],
    }
