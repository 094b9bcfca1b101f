"""The layers of a network add up to the network, and to what a record says that it costs."""

from itertools import product
from typing import get_args

import pytest
import torch
from helpers.encoders import needs_encoder
from helpers.recipes import TINY
from torch import nn

from audiocls.audio.features import LogMel, Raw
from audiocls.config import resolve
from audiocls.errors import ConfigError
from audiocls.models import Model
from audiocls.render.build.layer_summary import totals
from audiocls.training.cost import (
    ITSELF,
    Layer,
    ModelSummary,
    largest_layers,
    layer_summary,
    leaf_layers,
    macs,
    num_params,
    trained_network,
)

NUM_SAMPLES, RATE, NUM_CLASSES = 8000, 16000, 7
SMALL = {
    "logmel_cnn": {"channels": (8, 8, 8, 8)},
    "convnext1d": {"stem_width": 4, "stem_stride": 4, "strides": (4, 4), "blocks": 1, "kernel": 9},
    "convnext1d_causal": {"width": 8, "blocks": 2, "kernel": 5},
    "hifigan": {"width": 8},
    "eat": {"size": "XS", "factors": (4,)},
}
"""Options that make a model fast; the others are tested as they are."""


def cases() -> list[tuple[Model, tuple[int, int]]]:
    """Every model of the union that needs no encoder, on the features that it takes."""
    found = []
    kinds = [kind for kind in get_args(get_args(Model)[0]) if not needs_encoder(kind)]
    for kind, features in product(kinds, (LogMel(), Raw())):
        for name in get_args(kind.model_fields["name"].annotation):
            model = kind(name=name, **SMALL.get(name, {}))
            try:
                model.build(features.shape(NUM_SAMPLES, RATE), NUM_CLASSES)
            except ConfigError:
                continue
            found.append((model, features.shape(NUM_SAMPLES, RATE)))
    return found


EVERY_MODEL = pytest.mark.parametrize(
    ("model", "in_shape"), cases(), ids=lambda value: getattr(value, "name", str(value))
)


def layers_of(model: Model, in_shape: tuple[int, int]) -> list[Layer]:
    return layer_summary(model.build(in_shape, NUM_CLASSES), torch.zeros(1, *in_shape))


@EVERY_MODEL
def test_the_whole_is_what_a_record_says(model, in_shape):
    whole = layers_of(model, in_shape)[0]
    network = model.build(in_shape, NUM_CLASSES)
    assert whole.macs == macs(model, in_shape, NUM_CLASSES) > 0
    assert whole.params == num_params(network)
    assert whole.shape == (NUM_CLASSES,)


@EVERY_MODEL
@pytest.mark.parametrize("depth", [0, 1, 2, 99])
def test_the_layers_of_any_depth_add_up_to_the_whole(model, in_shape, depth):
    layers = layers_of(model, in_shape)
    parts = leaf_layers(layers, depth)
    assert sum(part.macs for part in parts) == layers[0].macs
    assert sum(part.params for part in parts) == layers[0].params
    assert max(part.depth for part in parts) <= depth
    assert min(min(part.params, part.macs) for part in parts) >= 0


@EVERY_MODEL
def test_what_dominates_comes_first_and_all_of_it_is_the_model(model, in_shape):
    parts = largest_layers(layers_of(model, in_shape))
    params, num_macs = sum(part[1] for part in parts), sum(part[2] for part in parts)
    assert num_macs == macs(model, in_shape, NUM_CLASSES)
    shares = [max(part[1] / params, part[2] / num_macs) for part in parts]
    assert shares == sorted(shares, reverse=True)


class Net(nn.Module):
    """Costs known by hand: 4·8 and 8·2 products, and a product of its own with 8 · 8 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 8), nn.Linear(8, 2, bias=False)])
        self.mix = nn.Parameter(torch.zeros(8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.layers[0](x) @ self.mix
        out: torch.Tensor = self.layers[1](hidden)
        return out


def test_costs_known_by_hand():
    found = {layer.name: layer for layer in layer_summary(Net(), torch.zeros(1, 4))}
    costs = {name: (layer.params, layer.macs) for name, layer in found.items()}
    assert costs == {
        "": (40 + 16 + 64, 32 + 16 + 64),
        "layers": (56, 48),
        "layers.0": (40, 32),
        "layers.1": (16, 16),
        ITSELF: (64, 64),
    }
    assert found["layers"].shape is None  # a list is never called
    assert [found[name].depth for name in ("", "layers", "layers.1", ITSELF)] == [0, 1, 2, 1]


def test_a_layer_comes_before_what_is_inside_it():
    names = [layer.name for layer in layer_summary(Net(), torch.zeros(1, 4))]
    assert names == ["", "layers", "layers.0", "layers.1", ITSELF]


def test_weight_norm_is_part_of_its_layer():
    layer = nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 3, 5))
    [whole, conv] = layer_summary(nn.Sequential(layer), torch.zeros(1, 2, 5))
    assert (conv.kind, conv.name, conv.shape) == ("Conv1d", "0", (3, 1))
    assert conv.params == whole.params == 2 * 3 * 5 + 3 + 3  # directions, norms and biases
    assert conv.macs == 2 * 3 * 5


def test_a_look_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layer_summary(network, torch.zeros(1, 4))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_front_end_that_learns_is_part_of_what_is_trained():
    """A BatchNorm over the wave has one scale and one shift."""
    changes = {"features": {"name": "raw", "normalise": "batch_norm"}, "model.name": "hifigan"}
    config = resolve([TINY, changes, {"model.width": 8}], "")
    network, inputs = trained_network(config, NUM_CLASSES)
    layers = {layer.name: layer for layer in layer_summary(network, inputs)}
    assert layers["front_end"].params == 2
    assert layers[""].params == 2 + layers["model"].params
    assert layers[""].macs == layers["model"].macs


@pytest.mark.parametrize(
    ("limit", "said"),
    [(200_000, "left"), (100, "exceeded by")],
)
def test_a_budget_says_what_it_leaves_or_by_how_much_it_is_exceeded(limit, said):
    config = resolve([TINY, {"budget.max_params": limit}], "")
    layers = layer_summary(*trained_network(config, NUM_CLASSES))
    facts = totals(ModelSummary(config, NUM_CLASSES, layers))
    assert "budget of MACs per clip" not in facts
    text = facts["budget of parameters"]
    assert said in text
    assert f"{abs(limit - layers[0].params):,}" in text
