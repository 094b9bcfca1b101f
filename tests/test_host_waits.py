"""A training step on an accelerator never makes the host wait, and has the same shapes each time.

Otherwise the device idles between steps, and a step could not be captured as a graph.
"""

import pytest
import torch
from helpers.waiting import META, Waits, autocast_of_cpu, state_without_data, step_without_data

from audiocls import library
from audiocls.audio.augment import Augment, rows
from audiocls.audio.augment.chain import augment_waveforms
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.mixing import MIXES, mix
from audiocls.audio.augment.noise import EXPONENTS
from audiocls.audio.augment.transforms import CHANGES
from audiocls.config import resolve
from audiocls.training import fused
from audiocls.training.fit import groups_of_epoch
from audiocls.training.fused import FusedStep

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
    "leaf": {"features": {"name": "leaf"}, "augment": {"time_mask": 3}},
    "sam": {"sam.rho": 0.05, "train.clip_norm": 1.0},
    "asam": {"sam": {"rho": 0.5, "adaptive": True}},
    "clip": {"train.clip_norm": 1.0, "train.reduction": "sum"},
    "ema": {"averaging": {"name": "ema", "every_steps": 1}},
    "swa": {"averaging.name": "swa"},
    "sgd": {"optim.name": "sgd", "schedule.name": "cosine"},
    "adam": {"optim.name": "adam", "schedule.name": "onecycle"},
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


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_step_of_a_recipe_waits_for_nothing(name, sounds_of):
    """But for fp16, which asks whether the gradient overflowed, and is left out here."""
    recipe = library.recipe(name)
    data = {"name": "synthetic", "num_sources": 5, "clips_per_source": 1}
    data["sample_rate"] = recipe["data"].get("sample_rate", 16000)
    data |= {"duration_s": 2.5} if name.startswith("eat") else {}
    changes = {"train.batch_size": 8, "train.precision": "bf16", "device": "cpu"}
    if recipe["features"]["name"] == "encodec":
        pytest.importorskip("encodec")
        changes["features.weights"] = "untrained"
    config = resolve([recipe, {"data": data}, changes], name)
    waits = step_without_data(state_without_data(config, sounds_of(config)))
    assert waits.lines == []


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
