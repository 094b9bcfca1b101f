"""The cost of a network: parameters and multiply-accumulates per clip, by layer.

Legend: C channels, T samples, L frames, K classes.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import unwrap
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, _FlopCounterMode

from audiocls.audio.features import Features
from audiocls.config import Config
from audiocls.errors import DataError, UsageError
from audiocls.models import Model

# As in `optim/torch_optimizers.py`: nothing is compiled, so that counting needs no compiler.
_FlopCounterMode.__torch_dispatch__ = unwrap(_FlopCounterMode.__torch_dispatch__)  # type: ignore[method-assign]

WHOLE = "Global"
"""FlopCounterMode's name for everything, inside a module or not."""
ITSELF = "(itself)"
"""Name of the operations and parameters of a module outside of the modules inside it."""
REPARAMETRISED = "Parametrized"  # torch's prefix for a layer under weight norm


@dataclass(frozen=True)
class Layer:
    """One module and everything inside it; the network as a whole has no name and depth 0."""

    name: str
    """Path within the network, such as `stages.0.1`."""
    kind: str
    """Class name."""
    shape: tuple[int, ...] | None
    """Shape of the output for one clip; none for a mere container, which is never called."""
    params: int
    """Parameters, frozen ones included."""
    macs: int
    """Multiply-accumulates per clip."""

    @property
    def depth(self) -> int:
        """Number of modules around it."""
        return len(self.name.split(".")) if self.name else 0


def layer_summary(network: nn.Module, inputs: Tensor) -> list[Layer]:
    """Return every layer of `network`, each before the layers inside it.

    Operations and parameters of a module itself are a layer `(itself)` at its end, so that the
    layers one level inside a module add up to it. A layer used in two places counts in both. The
    network is left in evaluation mode.

    Shape: inputs (1, …), one clip

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
        """Append the layers of `module`; return the layer of the whole of it."""
        position = len(layers)
        inside = [walk(child, path) for child, path in _children(module, name)]
        key = f"{root}.{name}" if name else WHOLE
        macs = counts.get(key, sum(layer.macs for layer in inside))
        kind = type(module).__name__.removeprefix(REPARAMETRISED)
        whole = Layer(name, kind, shapes.get(module), num_params(module), macs)
        layers.insert(position, whole)
        layers.extend(_itself(whole, inside))
        return whole

    walk(network, "")
    return layers


def leaf_layers(layers: list[Layer], depth: int) -> list[Layer]:
    """Return the layers that are not split further at that depth; they add up to the whole."""
    shown = [layer for layer in layers if layer.depth <= depth]
    parents = {layer.name.rpartition(".")[0] for layer in shown if layer.name}
    return [layer for layer in shown if layer.name not in parents]


def largest_layers(layers: list[Layer], depth: int = 2) -> list[tuple[str, int, int]]:
    """Return (name, parameters, multiply-accumulates) of the `leaf_layers`, the largest first.

    Sorted by a layer's share of parameters or of multiply-accumulates, whichever is greater.

    Args:
        layers: from `layer_summary`.
    """
    costs = [(layer.name, layer.params, layer.macs) for layer in leaf_layers(layers, depth)]
    params, macs = max(1, layers[0].params), max(1, layers[0].macs)
    return sorted(costs, key=lambda cost: -max(cost[1] / params, cost[2] / macs))


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


def trained_network(config: Config, num_classes: int) -> tuple[nn.Module, Tensor]:
    """Return the network that a trial of `config` trains, with a learned front end, and an input.

    Shape: → network, input (1, C, L), or (1, T) for a learned front end
    """
    model = config.model.build(config.in_shape, num_classes)
    if not config.features.is_learned:
        return model, torch.zeros(1, *config.in_shape)
    front_end = config.features.build(config.data.sample_rate)
    both = nn.Sequential(OrderedDict(front_end=front_end, model=model))
    return both, torch.zeros(1, config.num_samples)


@dataclass(frozen=True)
class ModelSummary:
    """The layers of the network that a configuration trains."""

    config: Config
    num_classes: int
    layers: list[Layer]
    """Each before what is inside it; the first is the whole network."""


def model_summary(config: Config, num_classes: int | None, cache: Path) -> ModelSummary:
    """Return the layers of the network that a trial of `config` trains.

    Args:
        num_classes: default: as many as the data set has.
        cache: folder of decoded audio.

    Raises:
        UsageError: neither `num_classes` nor the data set is there.
    """
    number = num_classes or _num_classes(config, cache)
    return ModelSummary(config, number, layer_summary(*trained_network(config, number)))


def _num_classes(config: Config, cache: Path) -> int:
    try:
        return len(config.data.table(cache).labels)
    except DataError as error:
        raise UsageError(
            f"the number of classes is unknown without the data: {error}\n"
            "Give the folder (data.root=DIR), or the number of classes: --classes 10"
        ) from error


def num_params(network: nn.Module) -> int:
    """Return the number of parameters, frozen ones included."""
    return sum(p.numel() for p in network.parameters())


def macs_by_module(network: nn.Module, inputs: Tensor) -> dict[str, int]:
    """Return the multiply-accumulates of the whole (`WHOLE`) and of each module that was called.

    A module's name is its class for the network itself and the path from there for what is inside:
    `Net.stages.0`.

    Shape: inputs (B, …), as `network` takes them
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(inputs)
    # FlopCounterMode counts a multiply-accumulate as two operations.
    return {name: sum(ops.values()) // 2 for name, ops in counter.get_flop_counts().items()}


def _children(module: nn.Module, name: str) -> list[tuple[nn.Module, str]]:
    """Return the modules directly inside a module, and their paths.

    Without parametrisations (weight norm), which count as part of their layer.
    """
    prefix = f"{name}." if name else ""
    named = module.named_children()
    return [(child, prefix + key) for key, child in named if key != "parametrizations"]


def _itself(whole: Layer, inside: list[Layer]) -> list[Layer]:
    """Return a layer of what `inside` leaves of `whole`, if anything."""
    params = whole.params - sum(layer.params for layer in inside)
    macs = whole.macs - sum(layer.macs for layer in inside)
    if not inside or (params, macs) == (0, 0):
        return []
    name = f"{whole.name}.{ITSELF}" if whole.name else ITSELF
    return [Layer(name, "", None, params, macs)]


def _output_shapes(network: nn.Module, inputs: Tensor) -> dict[nn.Module, tuple[int, ...]]:
    """Return the output shape, without batch, of each module that is called.

    Shape: inputs (1, …)
    """
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def record(module: nn.Module, _: Any, output: Any) -> None:
        # Tuples, and the outputs of transformers, which have names as well.
        first = output if isinstance(output, Tensor) else output[0]
        if isinstance(first, Tensor):
            shapes[module] = tuple(first.shape[1:])

    run_hooked(network, inputs, list(network.modules()), record)
    return shapes


def run_hooked(
    network: nn.Module, inputs: Tensor, layers: Sequence[nn.Module], hook: Callable[..., None]
) -> None:
    """Run a network once, without gradients, with a forward hook on some layers of it.

    Shape: inputs (B, …), whatever `network` takes
    """
    hooks = [layer.register_forward_hook(hook) for layer in layers]
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for each in hooks:
            each.remove()
