"""What every model owes, on every front end whose features it takes.

The models are those of the union `Model`: a new one joins by joining. Its default options are
tested unless `TINY` names smaller ones.

Legend: B batch, C channels, L frames, K classes.
"""

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any, get_args

import pytest
import torch
from helpers.encoders import needs_encoder

from audiocls.audio.features import Features, LogMel, Raw
from audiocls.audio.features.normalise import Standardise
from audiocls.models import Model
from audiocls.testing import models as owed
from audiocls.training.checkpoint import description_of, load_checkpoint, weights_of
from audiocls.training.classifier import Classifier
from audiocls.training.cost import macs

NUM_SAMPLES, RATE = 4000, 16000
DEPTHS = (18, 34, 50, 101, 152, 200)
"""Of the ResNets."""
TINY: dict[str, dict[str, Any]] = {
    "logmel_cnn": {"channels": (8, 8, 8, 8)},
    "convnext1d": {
        "stem_width": 4,
        "stem_stride": 2,
        "strides": (2, 2),
        "blocks": 1,
        "kernel": 5,
    },
    "convnext1d_causal": {"width": 8, "blocks": 2, "kernel": 5},
    "hifigan": {"width": 8},
    "kws": {"channels": (8, 8)},
    "eat": {"size": "XS", "factors": (4,)},
    **{f"resnet{depth}": {"width": 4} for depth in DEPTHS},
    "efficientnet_b0": {"width": 0.25},
    "convnext_tiny": {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)},
}
PROBES = {"linear", "mlp"}
"""They take the mean over frames before anything costs: of any length the same."""
STARTS_AS_ITS_SHORTCUT = {f"resnet{depth}" for depth in DEPTHS}
"""The last scale of each branch starts at 0, so that what lies before it learns from the second
step on: the published initialisation, not a dead branch. No other model may need that step."""
TINY_FEATURES: dict[str, dict[str, Any]] = {
    "logmel": {"n_mels": 16, "n_fft": 256, "hop": 128},
    "spectrogram": {"n_fft": 62, "hop": 128},
    "mfcc": {"n_mfcc": 8, "n_mels": 16, "n_fft": 256, "hop": 128},
    "leaf": {"num_filters": 8, "window": 101, "hop": 128},
    "sincnet": {"num_filters": 8, "kernel": 51, "window": 101, "hop": 128},
    "encodec": {"weights": "untrained"},
}
FRONT_ENDS = [part for part in get_args(get_args(Features)[0]) if not needs_encoder(part)]

AnyModel = Any
AnyFeatures = Raw | LogMel


def tiny(union: Iterable[Any], options: dict[str, dict[str, Any]]) -> list[Any]:
    """One part for each name: some parts go by several."""
    return [
        part(name=name, **options.get(name, {}))
        for part in union
        for name in get_args(part.model_fields["name"].annotation)
    ]


MODELS = tiny([part for part in get_args(get_args(Model)[0]) if not needs_encoder(part)], TINY)
PAIRS = list(itertools.product(MODELS, tiny(FRONT_ENDS, TINY_FEATURES)))


LONG = ("resnet101", "resnet152", "resnet200")
"""Of the blocks of `resnet50`, in seconds a test."""


def takes(model: AnyModel, features: AnyFeatures) -> bool:
    return not model.check(features.shape(NUM_SAMPLES, RATE))


TAKEN = [pair for pair in PAIRS if takes(*pair)]
KINDS = ("raw", "logmel")
"""A wave and a picture: to a model all front ends are one or the other."""
EVERY_PAIR = pytest.mark.parametrize(("model", "features"), TAKEN, ids=lambda part: part.name)
EACH_KIND = pytest.mark.parametrize(
    ("model", "features"),
    [
        pytest.param(*pair, marks=[pytest.mark.slow] if pair[0].name in LONG else [])
        for pair in TAKEN
        if pair[1].name in KINDS
    ],
    ids=lambda part: part.name,
)


def shape_of(features: AnyFeatures) -> tuple[int, int]:
    return features.shape(NUM_SAMPLES, RATE)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_it_takes_the_features_of_some_front_end(model):
    assert any(takes(model, features) for other, features in PAIRS if other == model)


@EVERY_PAIR
def test_features_become_one_finite_logit_a_class_for_each_clip(model, features):
    owed.features_become_one_finite_logit_a_class_for_each_clip(model, shape_of(features))


@EACH_KIND
@pytest.mark.parametrize("rule", owed.RULES, ids=lambda rule: rule.__name__)
def test_it_keeps_the_contract(model, features, rule):
    rule(model, shape_of(features))


@EACH_KIND
def test_any_length_works_or_is_refused_before_the_first_step(model, features):
    channels, frames = shape_of(features)
    lengths = (1, 2, 7, 8, 9, 31, frames - 1, frames, frames + 1)
    taken = owed.works_or_refuses(model, channels, lengths)
    assert {frames - 1, frames, frames + 1} <= set(taken)


@EACH_KIND
def test_multiply_accumulates_grow_with_the_length_of_a_clip(model, features):
    channels, frames = shape_of(features)
    one, longer = (macs(model, (channels, n * frames), 5) for n in (1, 2))
    assert longer >= one if model.name in PROBES else longer > one


@EACH_KIND
def test_a_gradient_reaches_every_parameter(model, features):
    num_first_steps = 1 if model.name in STARTS_AS_ITS_SHORTCUT else 0
    owed.a_gradient_reaches_every_parameter(model, shape_of(features), num_first_steps)


@EACH_KIND
def test_the_last_layer_is_called_head_and_is_all_that_depends_on_the_classes(model, features):
    owed.the_head_alone_depends_on_the_classes(model, shape_of(features))


@EACH_KIND
def test_a_checkpoint_restores_the_classifier_exactly(
    model, features, tmp_path, tiny_parts: Callable[..., Any]
):
    """Weights, running statistics and the standardisation, through a file."""
    changes = {"model": model.model_dump(), "features": features.model_dump()}
    parts = tiny_parts(changes)
    channels = parts.config.in_shape[0]
    trained = Classifier(parts.classifier.front, Standardise(channels), parts.classifier.model)
    trained.standardise.mean.uniform_(-1, 1)
    x = parts.dataset.unaugmented(parts.split.test)
    owed.losses(trained, x, 2)
    trained.eval()
    (tmp_path / "checkpoint.safetensors").write_bytes(weights_of(trained))
    description = description_of(parts.config, parts.dataset.table.labels)
    (tmp_path / "checkpoint.json").write_text(json.dumps(description))
    restored = load_checkpoint(tmp_path)
    assert torch.equal(restored.classifier(x), trained(x))
    assert restored.labels == parts.dataset.table.labels
    assert weights_of(restored.classifier) == weights_of(trained)
