"""The audax recipes take the steps of audax' code: logits, loss, gradient norm, updated weights.

Golden numbers of its own networks in JAX with optax: `benchmarks/audax_steps.py`. In float64,
without dropout, stochastic depth and masks, whose draws are others there. The first step is at a
rate of 0, as optax begins: what it leaves is in Adam's running means.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers import audax_steps as shared
from helpers.steps import train_step

from audiocls import library
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.batches import Batch
from audiocls.config import Config, resolve
from audiocls.training.pretrain import stage_of
from audiocls.training.state import TrainingState, build

GOLDEN = json.loads(shared.GOLDEN.read_text(encoding="utf-8"))
CASES = [
    pytest.param(case, id=case.name, marks=[] if case.width < 64 else [pytest.mark.slow])
    for case in shared.CASES
]
QUIET = {"augment.freq_mask": 0, "augment.time_mask": 0, "model.dropout": 0.0}
DATA = {"name": "synthetic", "num_sources": 5, "clips_per_source": 1, "sample_rate": 16_000}
SSL = {"crop_s": 1.0, "embedding": shared.EMBEDDING, "epochs": shared.NUM_EPOCHS}


def config_of(case: shared.Case) -> Config:
    changes = {**QUIET, "features.n_mels": case.num_bands, "data": DATA}
    changes |= {"train": {"batch_size": 15, "epochs": shared.NUM_EPOCHS}}
    if case.arch.startswith("ResNet"):
        changes |= {"model.name": case.arch.lower(), "model.width": case.width}
        changes |= {"model.padding": "same", "model.dropout": 0.0}
    else:
        changes["model.stochastic_depth"] = 0.0
    if case.mode != "classes":
        mode, _, form = case.mode.partition("-")
        similarity = {"similarity": form} if form else {}
        changes["ssl"] = {"mode": mode, **SSL, **similarity}
    return resolve([library.recipe(case.recipe), changes], case.name)


def state_of(case: shared.Case, sounds_of: Callable[[Config], Any]) -> TrainingState:
    """The recipe's training, or its contrastive stage, from the shared first weights."""
    config, is_stage = config_of(case), case.mode != "classes"
    config = stage_of(config) if is_stage else config
    state = build(config, sounds_of(config), learns_views=is_stage)
    state.classifier.double()
    for name, tensor in state.classifier.model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(shared.first_value(name, tuple(tensor.shape))))
    return state


def inputs_of(case: shared.Case, step: int) -> torch.Tensor:
    return torch.from_numpy(shared.features(case, step))


def weights_of(state: TrainingState) -> dict[str, shared.Array]:
    named = state.classifier.model.named_parameters()
    return {name: parameter.detach().numpy().copy() for name, parameter in named}


def outputs_of(state: TrainingState, inputs: torch.Tensor) -> shared.Array:
    """Logits; under COLA how alike the views are, under SimCLR their embeddings."""
    state.classifier.eval()
    with torch.no_grad():
        outputs = state.classifier(inputs)
        if state.config.ssl.mode == "cola":
            head, temperature = state.classifier.model.head, state.config.ssl.temperature
            outputs = head.similarities(*outputs.chunk(2), temperature)
    state.classifier.train()
    return np.asarray(outputs)


@pytest.mark.parametrize("case", CASES)
def test_steps_of_an_audax_recipe_equal_those_of_audax(case, sounds_of):
    state, golden = state_of(case, sounds_of), GOLDEN["steps"][case.name]
    config, wanted = state.config, np.array(golden["outputs"])
    assert len(state.split.train) // config.train.batch_size == shared.EPOCH_STEPS
    assert outputs_of(state, inputs_of(case, 0)) == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    for step, told in enumerate(golden["steps"]):
        before = weights_of(state)
        targets = torch.tensor(shared.LABELS)
        batch = Batch(inputs_of(case, step), targets, ClipRNG(0, torch.arange(len(targets))))
        loss, norm = train_step(state, [batch], is_measured=True)
        assert norm is not None
        assert loss.item() == pytest.approx(told["loss"], rel=1e-6)
        assert norm.item() == pytest.approx(told["grad_norm"], rel=1e-5)
        found = shared.summary(before, weights_of(state))
        assert found.keys() == told["of"].keys()
        whole = np.sqrt(sum(size**2 for size, _ in told["of"].values()))
        for name, (size, total) in told["of"].items():
            # Sums of entries that cancel are as exact as their norm is; a gradient that is rounding
            # alone, as of what the next BatchNorm undoes, moves a weight by rounding over eps.
            least = 1e-4 * size + 1e-6 * whole
            assert found[name] == pytest.approx((size, total), rel=1e-4, abs=least), name
