"""Pretrained encoders as models: what is trained, how fast, and that a trial stays one."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.encoders import RATE, tiny_encoder, tiny_image_encoder
from helpers.recipes import TINY
from torch import nn

from audiocls.audio.clips import fingerprint
from audiocls.config import Config, resolve
from audiocls.encoders.loaded import load_encoder
from audiocls.errors import ConfigError
from audiocls.execution.worker_cache import WorkerCache
from audiocls.models import HFModel
from audiocls.models.fine_tuned import FineTuned
from audiocls.optim.batch_norm import refresh_batch_norm
from audiocls.testing import models as owed
from audiocls.training.cost import layer_summary, num_params, trained_network
from audiocls.training.fit import EpochEnd, Signal, fit
from audiocls.training.state import TrainingState, build

AST_SHAPE = (32, 128)
IMAGE_SHAPE = (32, 40)


@pytest.fixture(scope="session")
def ast(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_encoder("ast", tmp_path_factory.mktemp("encoders") / "ast"))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_image_encoder(tmp_path_factory.mktemp("images") / "efficientnet"))


@pytest.fixture
def started(ast: str, cache: Any) -> Callable[..., TrainingState]:
    """Return a trial of the tiny AST ready for its first step, under dotted overrides."""
    warm = WorkerCache(cache)

    def state(changes: dict[str, Any] | None = None) -> TrainingState:
        config = config_of(ast, changes)
        known = fingerprint(config.data.table(cache), cache)
        return build(config, warm.dataset(config, known))

    return state


def config_of(encoder: str, changes: dict[str, Any] | None = None) -> Config:
    parts = {"features": {"name": "hf_inputs"}, "model": {"name": "hf"}}
    named = {"features.model": encoder, "model.model": encoder, "data.sample_rate": RATE}
    return resolve([TINY, parts, named, changes or {}], "t")


def trained_names(config: Config, shape: tuple[int, int] = AST_SHAPE) -> set[str]:
    network = config.model.build(shape, 5)
    return {name for name, p in network.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("rule", owed.RULES, ids=lambda rule: rule.__name__)
def test_an_encoder_keeps_the_contract_of_models(ast, rule):
    if rule is owed.multiply_accumulates_are_counted:
        assert owed.macs(config_of(ast).model, AST_SHAPE, 5) > 0  # it takes one length alone
    else:
        rule(config_of(ast).model, AST_SHAPE)


def test_a_gradient_reaches_every_parameter_that_is_trained(ast):
    owed.a_gradient_reaches_every_parameter(config_of(ast).model, AST_SHAPE)
    owed.the_head_alone_depends_on_the_classes(config_of(ast).model, AST_SHAPE)


@pytest.mark.slow  # the import of timm
@pytest.mark.parametrize("rule", owed.RULES, ids=lambda rule: rule.__name__)
def test_a_network_for_images_keeps_the_contract_of_models(image, rule):
    changes = {"features": TINY["features"], "model": {"name": "timm", "model": image}}
    rule(resolve([TINY, changes], "t").model, IMAGE_SHAPE)


def test_unfreezing_is_of_the_head_the_last_layers_or_all(ast):
    def of(**options: Any) -> set[str]:
        return trained_names(config_of(ast, {"model": {"name": "hf", "model": ast, **options}}))

    head = {"head.weight", "head.bias"}
    assert of(unfreeze="head") == head
    last = {name.partition("layers.")[2][:1] for name in of(unfreeze=1) - head}
    assert last == {"2", ""}  # the last block, and the normalisation after it
    assert of(unfreeze=1) < of(unfreeze=2) < of(unfreeze=3) < of() == of(unfreeze="all")


@pytest.mark.parametrize(
    "optim",
    [{"name": "adamw"}, {"name": "adam"}, {"name": "sgd"}, {"name": "lars", "decays": "all"}],
    ids=lambda optim: optim["name"],
)
def test_rates_fall_layer_by_layer_and_the_head_has_its_own(ast, optim):
    changes = {"model.lr_decay": 0.5, "model.head_lr": 10.0, "optim": {**optim, "lr": 0.01}}
    config = config_of(ast, changes)
    network = config.model.build(AST_SHAPE, 5)
    rates = {
        id(p): group["lr"] for group in config.optim.build(network).param_groups
        for p in group["params"]
    }  # fmt: skip
    by_name = {name: rates[id(p)] for name, p in network.named_parameters()}
    for name, rate in by_name.items():
        depth = int(name.partition("layers.")[2][:1] or -1)
        last = 0.01 if "layernorm" in name and "layers" not in name else 0.01 * 0.5**3
        wanted = 0.1 if name.startswith("head.") else 0.01 * 0.5 ** (2 - depth)
        assert rate == pytest.approx(last if depth < 0 and "head." not in name else wanted), name


def test_schedules_keep_the_ratio_of_rates(ast):
    config = config_of(ast, {"model.lr_decay": 0.5, "averaging": {"name": "swa", "lr": 0.02}})
    optimizer = config.optim.build(config.model.build(AST_SHAPE, 5))
    schedule = config.averaging.wrap_schedule(
        config.schedule.build(optimizer, 2, 2), optimizer, 2, 2
    )
    for _ in range(4):
        scaled = {group["lr"] / group["lr_scale"] for group in optimizer.param_groups}
        assert max(scaled) == pytest.approx(min(scaled))
        optimizer.step()
        schedule.step()


def weights(state: TrainingState) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in state.classifier.state_dict().items()}


def go_on(end: EpochEnd) -> Signal:
    return Signal.CONTINUE


def test_the_head_is_trained_alone_in_the_first_epochs(started):
    state = started({"model.head_epochs": 1, "train.epochs": 2, "train.select": "last"})
    seen = [weights(state)]

    def note(end: EpochEnd) -> Signal:
        seen.append(weights(state))
        return Signal.CONTINUE

    fit(state, note)
    changed = [
        {name.split(".")[1] for name in one if not torch.equal(one[name], other[name])}
        for one, other in itertools.pairwise(seen)
    ]
    assert changed == [{"head"}, {"head", "encoder"}]


def test_averaging_leaves_the_statistics_of_a_frozen_encoder():
    encoder = nn.Sequential(nn.BatchNorm1d(2), nn.Flatten(2))
    options = HFModel(model="./tiny", unfreeze="head")
    network = FineTuned(encoder, {"0.weight": 0, "0.bias": 0}, 4, 3, options)
    averaged = copy.deepcopy(network).requires_grad_(False)
    refresh_batch_norm(averaged, [torch.randn(8, 2, 4)], network)
    assert averaged.encoder[0].running_mean.tolist() == [0.0, 0.0]


@pytest.mark.slow  # the import of peft
def test_low_rank_branches_start_as_the_encoder_and_are_all_that_is_trained(ast):
    plain = config_of(ast).model
    adapted = config_of(ast, {"model.lora.rank": 2}).model
    x = owed.batch(AST_SHAPE)
    one, other = (owed.built(model, AST_SHAPE).eval() for model in (plain, adapted))
    torch.testing.assert_close(one(x), other(x))
    trained = {name for name, p in other.named_parameters() if p.requires_grad}
    assert {name.rpartition(".lora_")[1] for name in trained} == {".lora_", ""}
    assert {name for name in trained if "lora_" not in name} == {"head.weight", "head.bias"}
    seen = owed.losses(other.train(), x, 6)
    assert seen[-1] < seen[0]


def test_scratch_is_the_same_network_with_the_same_head(ast):
    pretrained, scratch = (
        owed.built(config_of(ast, {"model.weights": weights}).model, AST_SHAPE, 1).state_dict()
        for weights in ("pretrained", "random")
    )
    assert pretrained.keys() == scratch.keys()
    same = {name for name in pretrained if torch.equal(pretrained[name], scratch[name])}
    assert {"head.weight", "head.bias"} <= same
    assert not [name for name in same if name.endswith("proj.weight")]


def test_its_layers_are_shown_and_add_up(ast):
    network, inputs = trained_network(config_of(ast), 10)
    whole = layer_summary(network, inputs)[0]
    assert (whole.shape, whole.params) == ((10,), num_params(network))


def test_checkpointing_computes_the_same_gradients(ast):
    x, found = owed.batch(AST_SHAPE), []
    for changes in ({}, {"model.checkpointing": True}):
        network = owed.built(config_of(ast, changes).model, AST_SHAPE).train()
        torch.autograd.backward(owed.loss_of(network, x))
        found.append([p.grad for p in network.parameters() if p.grad is not None])
    assert len(found[0]) == len(found[1])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


VARIANTS = {
    "all": {"model.lr_decay": 0.75, "model.head_epochs": 1},
    "sam": {"sam.rho": 0.05, "model.head_epochs": 1},
    "asam, ema": {"sam": {"rho": 0.5, "adaptive": True}, "averaging": {"name": "ema"}},
    "swa": {"averaging": {"name": "swa", "start": 0.5}, "model.lr_decay": 0.5},
    "lora, bf16": {"model.lora.rank": 2, "model.checkpointing": True, "train.precision": "bf16"},
}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(changes, id=name, marks=[pytest.mark.slow] * (name != "all"))
        for name, changes in VARIANTS.items()
    ],
)
def test_a_resumed_trial_ends_in_the_same_weights_to_the_bit(started, changes):
    changes = {**changes, "train.epochs": 3}
    whole = started(changes)
    fit(whole, go_on)
    snapshots: list[bytes] = []

    def stop(end: EpochEnd) -> Signal:
        snapshots.append(end.snapshot())
        return Signal.STOP

    fit(started(changes), stop)
    resumed = started(changes)
    fit(resumed, go_on, snapshots[0])
    one, other = weights(whole), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert whole.evaluated().state_dict().keys() == one.keys()


def test_nothing_is_drawn_from_other_generators(tmp_path):
    """wav2vec2's masks are NumPy's: two trainings of one seed would differ."""
    folder = str(tiny_encoder("hubert", tmp_path / "hubert"))
    config = config_of(folder, {"features.model": folder})
    x = torch.randn(2, 1, 8000, generator=torch.Generator().manual_seed(0))
    runs = [owed.losses(owed.built(config.model, (1, 8000)).train(), x, 2) for _ in range(2)]
    assert runs[0] == runs[1]
    encoder = load_encoder(config.model, "input_values")
    assert not encoder.network.config.apply_spec_augment


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": {"name": "logmel"}}, "set features.name=hf_inputs"),
        ({"model.model": "tiny/other@0123456"}, "set both to the same"),
        ({"model.unfreeze": 2, "model.lora.rank": 4}, "no effect with lora.rank"),
        ({"model.unfreeze": "head", "model.lr_decay": 0.5}, "no effect while unfreeze is 'head'"),
        ({"model.lora.dropout": 0.5}, "no effect at rank 0"),
    ],
)
def test_what_does_not_go_together_is_refused(ast, changes, said):
    with pytest.raises(ConfigError, match=said):
        config_of(ast, changes)
