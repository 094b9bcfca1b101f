"""The recipes on the shelf are those of their sources: what they hear, cost and train by."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch

from audiocls import library
from audiocls.config import Config, digest, resolve
from audiocls.dotted import flatten
from audiocls.training.cost import layer_summary, trained_network


class Row(NamedTuple):
    recipe: str
    num_classes: int
    num_samples: int
    in_shape: tuple[int, int]
    params: int | None
    changes: Mapping[str, str] = MappingProxyType({})


ROWS = [
    Row("eat-s-esc50", 50, 114_688, (1, 114_688), 5_183_618),
    Row("eat-s-urbansound8k", 10, 90_112, (1, 90_112), 5_175_386),
    Row("eat-s-speechcommands", 35, 16_384, (1, 16_384), 1_971_955),
    Row("eat-m-audioset", 527, 221_184, (1, 221_184), 25_451_951),
    Row("eat-m-audioset", 527, 221_184, (1, 221_184), 5_258_463, {"model.size": "S"}),
    Row("eat-s-esc50", 50, 114_688, (1, 114_688), 25_302_738, {"model.size": "M"}),
    Row("audax-resnet18", 35, 16_000, (64, 104), 11_188_195),
    Row("audax-efficientnet-b0", 35, 16_000, (64, 104), 4_042_467),
    Row("audax-convnext-tiny", 35, 16_000, (64, 104), 27_842_435),
    Row("audax-cola-efficientnet-b0", 35, 16_000, (64, 104), 4_042_467),
    Row("audax-simclr-resnet18", 35, 16_000, (64, 104), 11_188_195),
    Row("yesno-logmel", 2, 16_000, (80, 101), None),
    Row("kws-tiny", 5, 16_000, (64, 101), 9_861),
    Row("convnext1d-raw", 50, 220_500, (1, 220_500), 36_595_186),
    Row("convnext1d-encodec", 50, 120_000, (128, 375), 33_218_354),
    Row("convnext1d-lm", 50, 120_000, (128, 375), 1_377_586),
    Row("hifigan-raw", 50, 220_500, (1, 220_500), 10_024_932),
]
FULL_SIZE = sorted({row.recipe for row in ROWS})

EAT = {
    "features.name": "raw",
    "features.normalise": "abs_max",
    "features.peak": 0.95,
    "optim.name": "adamw",
    "optim.lr": 3e-4,
    "optim.betas": [0.9, 0.99],
    "optim.eps": 1e-4,
    "optim.weight_decay": 1e-5,
    "schedule.name": "onecycle",
    "schedule.pct_start": 0.1,
    "schedule.cycle_momentum": [0.85, 0.95],
    "averaging.name": "none",  # the authors keep an EMA, and evaluate and save the weights
    "model.dropout": 0.1,
    "model.embedding_dropout": 0.0,
    "model.init": "authors",
    "train.clip_norm": 1.0,
    "train.reduction": "sum",
    "train.drop_last": True,
    "train.precision": "fp16",
    "train.loss_scale": 2.0**10,
    "train.select": "last",
    "augment.draw_per": "batch",
    "augment.crop": "random",
    "augment.transforms": ["amp", "neg", "tshift", "tmask", "ampsegment", "cycshift"],
    "augment.transform_p": 0.5,
    "augment.resample_p": 0.5,
    "augment.resample_factors": [0.8, 0.9, 1.1, 1.2],
    "augment.mixes": ["mixup", "timemix", "freqmix", "phasemix"],
}
EAT_SINGLE_LABEL = EAT | {
    "augment.noises": ["white", "blue", "pink", "red", "violet", "uniform", "phase", "sine"],
    "augment.noise_p": 0.5,
    "augment.noise_snr_db": 30.0,
    "augment.mix_from_epoch": 12,
    "train.batch_size": 128,
    "train.loss": "cross_entropy",
    "train.mixed_loss": "bce",
    "train.label_smoothing": 0.1,
    "train.smoothing_over": "others",
}
NO_VALIDATION = {"data.sample_rate": 22_050, "data.validation": "none"}
AUDAX_FRONT_END = {
    "data.sample_rate": 16_000,
    "data.duration_s": 1.0,
    "features.wave_normalise": "standard",
    "features.n_mels": 64,
    "features.n_fft": 1024,
    "features.window": 400,
    "features.hop": 160,
    "features.framing": "leading",
    "features.f_min": 60.0,
    "features.f_max": 7800.0,
    "features.offset": 1e-8,
    "features.compression": "clamp",
    "features.normalise": "none",
    "optim.name": "adamw",
    "optim.decays": "all",
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 5.0,
    "schedule.from_zero": True,
    "train.epochs": 50,
    "train.drop_last": True,
    "train.keep_best": 3,
    "train.keep_last": 3,
}
AUDAX = AUDAX_FRONT_END | {
    "model.dropout": 0.4,
    "optim.lr": 5e-4 * 1024 / 256,
    "optim.weight_decay": 1e-4,
    "augment.freq_mask": 8,
    "augment.time_mask": 10,
    "augment.num_masks": 2,
    "train.precision": "fp32",
    "train.batch_size": 1024,
}
AUDAX_PROBE = AUDAX_FRONT_END | {
    "freeze": True,
    "optim.weight_decay": 0.0,
    "ssl.epochs": 50,
    "ssl.batch_size": 2048,
}
EFFICIENTNET = {"model.stochastic_depth": 0.2, "model.padding": "same", "model.norm_eps": 1e-5}
STUDY = {
    "optim.name": "adamw",
    "optim.lr": 1e-4,
    "optim.weight_decay": 0.01,
    "schedule.name": "constant",
    "train.label_smoothing": 0.1,
}
AS_PUBLISHED: dict[str, dict[str, Any]] = {
    "eat-s-esc50": EAT_SINGLE_LABEL | NO_VALIDATION | {"train.epochs": 3500},
    "eat-s-urbansound8k": EAT_SINGLE_LABEL | NO_VALIDATION | {"train.epochs": 3500},
    "eat-s-speechcommands": EAT_SINGLE_LABEL | {"data.sample_rate": 16_000, "train.epochs": 1500},
    "eat-m-audioset": EAT
    | NO_VALIDATION
    | {
        "data.train_list": "all",
        "data.missing": "leave_out",
        "augment.noises": [],
        "augment.mix_from_epoch": 2,
        "train.epochs": 250,
        "train.batch_size": 208,
        "train.balanced": True,
        "train.loss": "bce",
    },
    "audax-resnet18": AUDAX | {"model.padding": "same"},
    "audax-efficientnet-b0": AUDAX | EFFICIENTNET,
    "audax-convnext-tiny": AUDAX
    | {
        "model.stochastic_depth": 0.1,
        "model.partial_patches": "dropped",
        "model.gelu": "tanh",
    },
    "audax-cola-efficientnet-b0": AUDAX_PROBE
    | EFFICIENTNET
    | {
        "ssl.mode": "cola",
        "ssl.lr": 5e-5 * 2048 / 256,
        "ssl.freq_mask": 10,
        "ssl.time_mask": 10,
        "optim.lr": 1e-3 * 512 / 256,
        "train.batch_size": 512,
    },
    "audax-simclr-resnet18": AUDAX_PROBE
    | {
        "model.padding": "same",
        "ssl.mode": "simclr",
        "ssl.lr": 1e-3 * 2048 / 256,
        "optim.lr": 1e-3 * 1024 / 256,
        "train.batch_size": 1024,
        "train.precision": "bf16",
    },
    "yesno-logmel": {
        "data.words": ["no", "yes"],
        "features.n_mels": 80,
        "features.n_fft": 400,
        "features.hop": 160,
        "features.offset": 1e-6,
        "optim.name": "adam",
        "optim.lr": 3e-3,
        "schedule.name": "step",
        "budget.max_params": 100_000,
    },
    "kws-tiny": {
        "model.activation": "silu",
        "optim.name": "adam",
        "optim.lr": 1e-3,
        "schedule.name": "plateau",
        "schedule.factor": 0.5,
        "schedule.patience": 10,
        "averaging.name": "swa",
        "averaging.lr": 1e-2,
        "augment.freq_mask": 15,
        "augment.time_mask": 15,
        "train.batch_size": 2048,
        "train.patience": 50,
        "budget.max_params": 10_000,
        "budget.max_macs": 1_000_000,
    },
    "convnext1d-raw": STUDY | {"data.sample_rate": 44_100, "train.batch_size": 16},
    "convnext1d-encodec": STUDY | {"train.batch_size": 64, "features.weights": "pretrained"},
    "convnext1d-lm": STUDY | {"train.batch_size": 64, "ssl.mode": "joint"},
    "hifigan-raw": STUDY | {"data.sample_rate": 44_100, "train.batch_size": 16},
}


def config_of(name: str, changes: Mapping[str, str] | None = None) -> Config:
    return resolve([library.recipe(name), changes or {}], name)


def text_of(name: str) -> str:
    """A recipe's header: the comments before its first key, as one line."""
    lines = Path(library.find("recipes", name)).read_text(encoding="utf-8").splitlines()
    header = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    return " ".join(line.removeprefix("# ") for line in header)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join([row.recipe, *row.changes.values()]))
def test_a_recipe_hears_and_costs_what_its_source_says(row):
    config = config_of(row.recipe, row.changes)
    with torch.device("meta"):  # shapes and costs, without the numbers
        network, inputs = trained_network(config, row.num_classes)
        whole = layer_summary(network, inputs)[0]
    assert config.num_samples == row.num_samples
    assert config.in_shape == row.in_shape
    assert whole.shape == (row.num_classes,)
    assert row.params is None or whole.params == row.params
    assert whole.params <= (config.budget.max_params or whole.params)
    assert whole.macs <= (config.budget.max_macs or whole.macs)


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_a_recipe_trains_as_its_source_did(name):
    options = flatten(config_of(name).model_dump(mode="json"))
    wanted = AS_PUBLISHED[name]
    assert {key: options.get(key) for key in wanted} == wanted


def test_every_full_size_recipe_is_held_to_its_source():
    own = {"convnext1d-logmel", "logmel-cnn", "logmel-resnet-60s"}
    shipped = {name for name in library.available("recipes") if not name.endswith("-cpu")}
    assert shipped == set(FULL_SIZE) | own == set(AS_PUBLISHED) | own


@pytest.mark.parametrize("name", FULL_SIZE)
def test_a_header_says_whose_it_is_and_what_was_published(name):
    assert "Source: " in text_of(name)
    assert "ublished" in text_of(name)


@pytest.mark.parametrize("name", FULL_SIZE)
def test_a_header_says_how_to_reproduce_and_what_was_checked_and_what_was_not(name):
    text = text_of(name)
    has_figure = "Published:" in text
    assert ("To reproduce it:" if has_figure else "o published figure known here") in text
    assert "Checked: " in text
    assert "ot checked: " in text


@pytest.mark.parametrize("name", FULL_SIZE)
def test_every_full_size_recipe_has_a_sibling_that_a_cpu_can_train(name):
    full, small = config_of(name), config_of(f"{name}-cpu")
    assert f"sibling of {name}" in text_of(f"{name}-cpu")
    assert small.data.name == "synthetic"
    assert small.model.name == full.model.name
    assert small.features.name == full.features.name
    assert small.ssl.mode == full.ssl.mode
    assert small.train.loss == full.train.loss
    limits = ("max_params", "max_macs")
    assert [getattr(small.budget, n) for n in limits] == [getattr(full.budget, n) for n in limits]


def test_no_two_recipes_are_one_configuration():
    names = library.available("recipes")
    assert len({digest(config_of(name)) for name in names}) == len(names)


def test_the_small_recipe_of_audioset_has_several_labels_and_is_chosen_by_map():
    config = config_of("eat-m-audioset-cpu")
    assert config.data.is_multi_label
    assert (config.train.loss, config.train.select) == ("bce", "val/map")
