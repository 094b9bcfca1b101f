"""What every model owes, on every front end whose features it takes.

The models are those of the union `Model`: a new one joins by joining. Its default options are
tested unless `TINY` names smaller ones.

Legend: B batch, C channels, L frames, K classes.
"""

import itertools
import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.audio.features import Features, LogMel, Raw
from audiocls.audio.features.normalise import Standardise
from audiocls.errors import ConfigError
from audiocls.models import Model
from audiocls.training.checkpoint import description_of, load_checkpoint, weights_of
from audiocls.training.classifier import Classifier
from audiocls.training.cost import macs

NUM_SAMPLES, NUM_CLASSES = 4000, 5
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
    "resnet18": {"width": 4},
    "resnet34": {"width": 4},
    "efficientnet_b0": {"width": 0.25},
    "convnext_tiny": {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)},
}
STARTS_AS_ITS_SHORTCUT = {"resnet18", "resnet34"}
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
FRONT_ENDS = get_args(get_args(Features)[0])

AnyModel = Any
AnyFeatures = Raw | LogMel


def tiny(union: tuple[Any, ...], options: dict[str, dict[str, Any]]) -> list[Any]:
    """One part for each name: some parts go by several."""
    return [
        part(name=name, **options.get(name, {}))
        for part in union
        for name in get_args(part.model_fields["name"].annotation)
    ]


MODELS = tiny(get_args(get_args(Model)[0]), TINY)
PAIRS = list(itertools.product(MODELS, tiny(FRONT_ENDS, TINY_FEATURES)))


def takes(model: AnyModel, features: AnyFeatures) -> bool:
    return not model.check(features.shape(NUM_SAMPLES))


TAKEN = [pair for pair in PAIRS if takes(*pair)]
KINDS = ("raw", "logmel")
"""A wave and a picture: to a model all front ends are one or the other."""
EVERY_PAIR = pytest.mark.parametrize(("model", "features"), TAKEN, ids=lambda part: part.name)
EACH_KIND = pytest.mark.parametrize(
    ("model", "features"),
    [pair for pair in TAKEN if pair[1].name in KINDS],
    ids=lambda part: part.name,
)


def built(model: AnyModel, features: AnyFeatures, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return model.build(features.shape(NUM_SAMPLES), NUM_CLASSES)


def batch(features: AnyFeatures, num_clips: int = 4) -> Tensor:
    noise = torch.randn(
        num_clips, *features.shape(NUM_SAMPLES), generator=torch.Generator().manual_seed(1)
    )
    return 0.5 * noise


def loss_of(network: nn.Module, x: Tensor) -> Tensor:
    return F.cross_entropy(network(x), torch.arange(len(x)) % NUM_CLASSES)


def losses(network: nn.Module, x: Tensor, num_steps: int) -> list[float]:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    seen = []
    for _ in range(num_steps):
        optimizer.zero_grad()
        loss = loss_of(network, x)
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return seen


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_it_takes_the_features_of_some_front_end(model):
    assert any(takes(model, features) for other, features in PAIRS if other == model)


@EVERY_PAIR
def test_features_become_one_finite_logit_a_class_for_each_clip(model, features):
    for num_clips in (1, 3):
        logits = built(model, features).eval()(batch(features, num_clips))
        assert logits.shape == (num_clips, NUM_CLASSES)
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()


@EACH_KIND
def test_evaluation_does_not_mix_clips(model, features):
    network, x = built(model, features).eval(), batch(features)
    alone = torch.cat([network(clip[None]) for clip in x])
    torch.testing.assert_close(network(x), alone, atol=1e-5, rtol=1e-4)


@EACH_KIND
def test_any_length_works_or_is_refused_before_the_first_step(model, features):
    channels, frames = features.shape(NUM_SAMPLES)
    taken = []
    for length in (1, 2, 7, 8, 9, 31, frames - 1, frames, frames + 1):
        try:
            network = model.build((channels, length), NUM_CLASSES).eval()
        except ConfigError as error:
            assert f"got {length} frames" in str(error)  # noqa: PT017
            continue
        assert network(torch.randn(2, channels, length)).isfinite().all()
        taken.append(length)
    assert {frames - 1, frames, frames + 1} <= set(taken)


@EACH_KIND
def test_silence_has_finite_logits_and_gradients(model, features):
    network = built(model, features)
    loss_of(network, torch.zeros_like(batch(features))).backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


@EACH_KIND
def test_a_gradient_reaches_every_parameter(model, features):
    network, x = built(model, features), batch(features)
    losses(network, x, 1 if model.name in STARTS_AS_ITS_SHORTCUT else 0)
    network.zero_grad()
    loss_of(network, x).backward()
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []


@EACH_KIND
def test_the_same_seed_gives_the_same_losses_bit_for_bit(model, features):
    x = batch(features)
    runs = [losses(built(model, features, seed), x, 3) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


@EACH_KIND
def test_ten_steps_reduce_the_loss(model, features):
    seen = losses(built(model, features), batch(features), 11)
    assert seen[-1] < seen[0]


@EACH_KIND
def test_multiply_accumulates_are_those_of_one_clip_and_grow_with_its_length(model, features):
    channels, frames = features.shape(NUM_SAMPLES)
    one = macs(model, (channels, frames), NUM_CLASSES)
    assert one > 0
    assert macs(model, (channels, 2 * frames), NUM_CLASSES) > one


@EACH_KIND
def test_the_same_options_always_build_the_same_shapes(model, features):
    shapes = [
        {name: value.shape for name, value in built(model, features, seed).state_dict().items()}
        for seed in (0, 1)
    ]
    assert shapes[0] == shapes[1]


@EACH_KIND
def test_the_last_layer_is_called_head_and_is_all_that_depends_on_the_classes(model, features):
    """What transfer between data sets leaves out and freezing lets learn."""
    shape = features.shape(NUM_SAMPLES)
    few, many = (model.build(shape, num_classes).state_dict() for num_classes in (3, 7))
    differing = {name for name in few if few[name].shape != many[name].shape}
    assert differing
    assert all(name.startswith("head.") for name in differing)


@EACH_KIND
def test_a_checkpoint_restores_the_classifier_exactly(
    model, features, tmp_path, tiny_parts: Callable[..., Any]
):
    """Weights, running statistics and the standardisation, through a file."""
    changes = {"model": model.model_dump(), "features": features.model_dump()}
    parts = tiny_parts(changes)
    channels = parts.config.features.shape(parts.dataset.num_samples)[0]
    trained = Classifier(parts.classifier.front, Standardise(channels), parts.classifier.model)
    trained.standardise.mean.uniform_(-1, 1)
    x = parts.dataset.unaugmented(parts.split.test)
    losses(trained, x, 2)
    trained.eval()
    (tmp_path / "checkpoint.safetensors").write_bytes(weights_of(trained))
    description = description_of(parts.config, parts.dataset.table.labels)
    (tmp_path / "checkpoint.json").write_text(json.dumps(description))
    restored = load_checkpoint(tmp_path)
    assert torch.equal(restored.classifier(x), trained(x))
    assert restored.labels == parts.dataset.table.labels
    assert weights_of(restored.classifier) == weights_of(trained)
