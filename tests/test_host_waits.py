"""A training step on an accelerator never makes the host wait, and has the same shapes each time.

Otherwise the device idles between steps, and a step could not be captured as a graph.
"""

from collections import defaultdict
from typing import Any, get_args

import pytest
import torch
from helpers.recipes import TINY
from helpers.waiting import META, Waits, autocast_of_cpu, state_without_data, step_without_data

from audiocls import library
from audiocls.audio.augment import Augment, rows
from audiocls.audio.augment.chain import augment_waveforms
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.mixing import MIXES, mix
from audiocls.audio.augment.noise import EXPONENTS
from audiocls.audio.augment.transforms import CHANGES
from audiocls.audio.features import Features
from audiocls.config import resolve
from audiocls.dotted import flatten
from audiocls.optim import Averaging, Optim, Schedule
from audiocls.training import fused
from audiocls.training.fit import groups_of_epoch
from audiocls.training.fused import FusedStep
from audiocls.training.pretrain import stage_of

RECIPES = sorted(file.stem for file in library.shipped("recipes").glob("*.yaml"))
RAW = {"features.name": "raw", "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]}}
EAT_LIKE = {
    "crop": "random",
    "transforms": ["amp", "neg", "tshift"],
    "noises": ["pink", "phase"],
    "resample_p": 0.5,
    "mixes": ["mixup", "freqmix"],
}
SETTINGS = {
    "plain": {},
    "masks": {"augment": {"freq_mask": 4, "time_mask": 4}},
    "silent masks": {"augment": {"freq_mask": 4, "masked": "silence"}},
    "raw": RAW,
    "everything random": {**RAW, "augment": EAT_LIKE},
    "mixed per batch": {"augment": {"mixes": ["mixup"], "draw_per": "batch", "mix_p": 0.5}},
    "moved and equalised": {
        "augment": {"roll": True, "stretch": 0.2, "crop_frames": 20, "equalise": 0.5}
    },
    "rolled noise": {"augment": {"roll": True, "gain_db": 6}, "features": {"name": "mfcc"}},
    "mixed features": {"augment": {"feature_mixup": 0.3, "equalise": 0.5}},
    "leaf": {"features": {"name": "leaf"}, "augment": {"time_mask": 3}},
    "leaf as in audax": {
        "features": {
            "name": "leaf",
            "num_filters": 8,
            "init": "bins",
            "pooling": "sum",
            "padding": "same",
            "floor": 1e-12,
            "least_power": 1e-5,
        }
    },
    "sincnet": {"features": {"name": "sincnet", "num_filters": 8}, "augment": {"gain_db": 6}},
    "log-mel as in audax": {
        "features": {
            "name": "logmel",
            "wave_normalise": "standard",
            "framing": "leading",
            "window": 200,
            "compression": "clamp",
            "normalise": "none",
        },
        "augment": {"shift_s": 0.05},
    },
    "spectrogram": {"features": {"name": "spectrogram"}, "augment": {"resample_p": 0.5}},
    "maxima of a ResNet": {
        "model": {"name": "resnet18", "width": 4, "blocks": [1, 1, 1, 1], "pool": "mean_max"}
    },
    "sam": {"sam.rho": 0.05, "train.clip_norm": 1.0},
    "asam": {"sam": {"rho": 0.5, "adaptive": True}},
    "clip": {"train.clip_norm": 1.0, "train.reduction": "sum"},
    "ema": {"averaging": {"name": "ema", "every_steps": 1}},
    "swa": {"averaging.name": "swa"},
    "sgd": {"optim.name": "sgd", "schedule.name": "cosine"},
    "adam": {"optim.name": "adam", "schedule.name": "onecycle"},
    "lars": {"optim.name": "lars", "schedule.name": "exponential"},
    "in steps": {"schedule.name": "step"},
    "on a plateau": {"schedule.name": "plateau"},
    "focal": {"train.loss": "focal", "model.dropout": 0.2},
    "bce": {"train.loss": "bce", "augment.mixes": ["mixup"]},
    "bf16": {"train.precision": "bf16"},
    "balanced": {"train.balanced": True, "train.label_smoothing": 0.1},
}


AUGMENTATIONS = {
    **{name: {"transforms": [name]} for name in CHANGES},
    **{name: {"noises": [name]} for name in (*EXPONENTS, "uniform", "phase", "sine")},
    **{name: {"mixes": [name]} for name in MIXES},
    "gain and shift": {"gain_db": 6, "shift_s": 0.05},
    "resampling": {"resample_p": 0.5, "draw_per": "batch"},
    "background": {"background": "noise"},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_step_waits_for_nothing(setting, tiny_config, sounds_of):
    config = tiny_config(SETTINGS[setting])
    waits = step_without_data(state_without_data(config, sounds_of(config)))
    assert waits.num_operations > 50
    assert waits.lines == []


NUMBERS = (
    *("transform_p", "noise_p", "noise_snr_db", "background_p", "background_snr_db"),
    *("resample_factors", "strength", "num_masks", "mix_from_epoch"),
)
"""Options of augmentation that say how much, and switch nothing on."""


def names(union: Any) -> set[str]:
    """Return the names in a union of options."""
    kinds = [kind for kind in get_args(get_args(union)[0]) if "name" in kind.model_fields]
    return {name for kind in kinds for name in get_args(kind.model_fields["name"].annotation)}


def test_what_a_step_consists_of_is_all_among_the_settings():
    """An option that is new here has to be tried here."""
    used: dict[str, set[str]] = defaultdict(set)
    every = [*SETTINGS.values(), *({"augment": each} for each in AUGMENTATIONS.values())]
    for key, value in (pair for each in every for pair in flatten({**TINY, **each}).items()):
        used[key].add(value if isinstance(value, str) else "")
    augment = {key.removeprefix("augment.") for key in used if key.startswith("augment.")}
    assert Augment.model_fields.keys() - augment == {*NUMBERS}
    for part, union in (("optim", Optim), ("schedule", Schedule), ("averaging", Averaging)):
        assert names(union) - {"none"} == used[f"{part}.name"]
    # Encoders and codes are read from their caches: a step begins with stored vectors.
    assert names(Features) - {"encodec", "hf", "hf_inputs", "hear", "timm"} == used["features.name"]


@pytest.mark.parametrize("mode", ["cola", "simclr"])
def test_a_step_of_contrastive_learning_waits_for_nothing(mode, tiny_config, sounds_of):
    ssl = {"mode": mode, "crop_s": 0.25, "epochs": 1, "freq_mask": 3, "time_mask": 3}
    config = stage_of(tiny_config({"ssl": ssl}))
    waits = step_without_data(state_without_data(config, sounds_of(config), learns_views=True))
    assert waits.num_operations > 50
    assert waits.lines == []


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_step_of_a_recipe_waits_for_nothing(name, sounds_of):
    """But for fp16, which asks whether the gradient overflowed, and is left out here."""
    recipe = library.recipe(name)
    data = {"name": "synthetic", "num_sources": 5, "clips_per_source": 1}
    data["sample_rate"] = recipe["data"].get("sample_rate", 16000)
    data |= {"duration_s": 2.5} if name.startswith("eat") else {}
    changes = {"train.batch_size": 8, "train.precision": "bf16", "device": "cpu"}
    if "ssl" in recipe and recipe["ssl"].get("batch_size"):
        changes["ssl.batch_size"] = 8
    if recipe["features"]["name"] == "encodec":
        pytest.importorskip("encodec")
        changes["features.weights"] = "untrained"
    config = resolve([recipe, {"data": data}, changes], name)
    waits = step_without_data(state_without_data(config, sounds_of(config)))
    assert waits.lines == []
    if config.ssl.is_contrastive:
        stage = stage_of(config)
        state = state_without_data(stage, sounds_of(stage), learns_views=True)
        assert step_without_data(state).lines == []


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_waits_for_nothing(name):
    options = Augment.model_validate(AUGMENTATIONS[name])
    clips = torch.arange(6)
    draws = ClipRNG(0, clips, clips_on_device=clips.to(META), shared=3)
    waveforms, targets = torch.empty(6, 2000, device=META), torch.empty(6, 5, device=META)
    background = torch.empty(5000, device=META)
    with Waits() as waits:
        changed = augment_waveforms(waveforms, options, 4000, draws, background)
        mix(changed, targets, options, 4000, draws, epoch=0, is_union=True)
    assert waits.lines == []


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_accelerator_changes_each_clip_as_the_host_does(name, monkeypatch):
    """It computes every clip and chooses, where the host computes the chosen ones alone."""
    options = Augment.model_validate(AUGMENTATIONS[name])
    draws, targets = ClipRNG(0, torch.arange(6)), torch.eye(6)
    waveforms, background = torch.randn(6, 2000), torch.randn(5000)

    def changed() -> tuple[torch.Tensor, torch.Tensor]:
        heard = augment_waveforms(waveforms, options, 4000, draws, background)
        return mix(heard, targets, options, 4000, draws, epoch=0, is_union=False)

    by_host = changed()
    monkeypatch.setattr(rows, "is_known_to_host", lambda drawn: False)
    for one, other in zip(by_host, changed(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "wait",
    [
        lambda there: torch.arange(3).to(META),
        lambda there: there.copy_(torch.zeros(3)),
        lambda there: there[torch.arange(2)],
        lambda there: there.index_put_((torch.arange(2),), there[:2]),
    ],
    ids=["copied", "written", "indexed", "written by index"],
)
def test_what_waits_is_counted(wait):
    with Waits() as waits:
        wait(torch.empty(3, device=META))
    assert len(waits.lines) == 1


def test_what_needs_numbers_of_the_device_raises():
    there = torch.empty(3, device=META)
    for needs in (torch.Tensor.tolist, torch.nonzero, lambda numbers: numbers[numbers > 0]):
        with pytest.raises((RuntimeError, NotImplementedError)):
            needs(there)


@pytest.mark.parametrize("setting", ["plain", "masks", "sam", "sgd", "ema"])
def test_a_fused_step_waits_for_nothing(setting, tiny_config, sounds_of, monkeypatch):
    monkeypatch.setattr(fused, "_generator", lambda device: torch.Generator())
    changes = {**SETTINGS[setting], "optim.lr": 0.01}
    config = tiny_config(changes)
    states = [state_without_data(config, sounds_of(config)) for _ in range(2)]
    batches = [groups_of_epoch(state, 0) for state in states]
    step = FusedStep(states)
    with autocast_of_cpu(), step.epoch([0, 0]):
        step([next(each) for each in batches])
        with Waits() as waits:
            step([next(each) for each in batches])
    assert waits.num_operations > 50
    assert waits.lines == []
