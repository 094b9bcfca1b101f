"""A network layer by layer: output shapes, parameters and multiply-accumulates of one clip.

Legend: C channels, T samples, L frames, K classes.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from audiocls.config import Config
from audiocls.models import Model
from audiocls.training.cost import WHOLE, macs_by_module, num_params

ITSELF = "(itself)"
"""What a module does or holds outside of the modules inside it."""
REPARAMETRISED = "Parametrized"  # torch's prefix for a layer under weight norm


@dataclass(frozen=True)
class Layer:
    """One module and everything inside it; the network as a whole has no name and depth 0."""

    name: str
    """Its path within the network, such as `stages.0.1`."""
    kind: str
    shape: tuple[int, ...] | None
    """Of its output for one clip; none for a mere container, which is never called."""
    params: int
    """Trainable."""
    macs: int

    @property
    def depth(self) -> int:
        return len(self.name.split(".")) if self.name else 0


def layer_summary(network: nn.Module, inputs: Tensor) -> list[Layer]:
    """Every layer of `network`, each before what is inside it.

    What a module holds or does itself is a layer `(itself)` at its end, so that the layers one
    step inside a module add up to it. A layer used in two places counts in both.

    Shape: inputs (1, …)

    >>> network = nn.Sequential(nn.Conv1d(1, 8, 3, padding=1), nn.ReLU())
    >>> layers = layer_summary(network, torch.zeros(1, 1, 10))
    >>> [(layer.name, layer.shape, layer.macs) for layer in layers]
    [('', (8, 10), 240), ('0', (8, 10), 240), ('1', (8, 10), 0)]
    """
    network.eval()
    shapes, counts = _output_shapes(network, inputs), macs_by_module(network, inputs)
    root = type(network).__name__
    layers: list[Layer] = []

    def walk(module: nn.Module, name: str) -> Layer:
        place = len(layers)
        inside = [walk(child, path) for child, path in _children(module, name)]
        key = f"{root}.{name}" if name else WHOLE
        macs = counts.get(key, sum(layer.macs for layer in inside))
        kind = type(module).__name__.removeprefix(REPARAMETRISED)
        whole = Layer(name, kind, shapes.get(module), num_params(module), macs)
        layers.insert(place, whole)
        layers.extend(_itself(whole, inside))
        return whole

    walk(network, "")
    return layers


def leaf_layers(layers: list[Layer], depth: int) -> list[Layer]:
    """The layers no deeper than `depth` that are not split further: they add up to the whole."""
    shown = [layer for layer in layers if layer.depth <= depth]
    parents = {layer.name.rpartition(".")[0] for layer in shown if layer.name}
    return [layer for layer in shown if layer.name not in parents]


def largest_layers(
    model: Model, in_shape: tuple[int, int], num_classes: int
) -> list[tuple[str, int, int]]:
    """(name, parameters, multiply-accumulates) of a model's parts, the costliest first.

    The costliest has the largest share of either; all together they are the whole model.
    """
    return costliest(layer_summary(model.build(in_shape, num_classes), torch.zeros(1, *in_shape)))


def costliest(layers: list[Layer], depth: int = 2) -> list[tuple[str, int, int]]:
    """`largest_layers` for layers that are known already."""
    costs = [(layer.name, layer.params, layer.macs) for layer in leaf_layers(layers, depth)]
    params, macs = max(1, layers[0].params), max(1, layers[0].macs)
    return sorted(costs, key=lambda cost: -max(cost[1] / params, cost[2] / macs))


def trained_network(config: Config, num_classes: int) -> tuple[nn.Module, Tensor]:
    """All that a trial of `config` learns, the front end included if it learns, and a silent clip.

    Shape: → (network, its input (1, …))
    """
    num_samples = round(config.data.duration_s * config.data.sample_rate)
    in_shape = config.features.shape(num_samples)
    model = config.model.build(in_shape, num_classes)
    if not config.features.is_learned:
        return model, torch.zeros(1, *in_shape)
    front_end = config.features.build(config.data.sample_rate)
    both = nn.Sequential(OrderedDict(front_end=front_end, model=model))
    return both, torch.zeros(1, num_samples)


def _children(module: nn.Module, name: str) -> list[tuple[nn.Module, str]]:
    """Without the parametrisations (weight norm), which belong to the layer they are of."""
    prefix = f"{name}." if name else ""
    named = module.named_children()
    return [(child, prefix + key) for key, child in named if key != "parametrizations"]


def _itself(whole: Layer, inside: list[Layer]) -> list[Layer]:
    params = whole.params - sum(layer.params for layer in inside)
    macs = whole.macs - sum(layer.macs for layer in inside)
    if not inside or (params, macs) == (0, 0):
        return []
    name = f"{whole.name}.{ITSELF}" if whole.name else ITSELF
    return [Layer(name, "", None, params, macs)]


def _output_shapes(network: nn.Module, inputs: Tensor) -> dict[nn.Module, tuple[int, ...]]:
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def keep(module: nn.Module, _: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple | list) else output
        shapes[module] = tuple(first.shape[1:])

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes
