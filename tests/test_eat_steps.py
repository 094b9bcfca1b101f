"""The EAT recipes take the steps of the authors' code: loss, gradient norm, updated weights.

Golden numbers of their own network and trainer: `benchmarks/eat_steps.py`. At the recipe's full
size, on clips as short as the network takes, without dropout, whose masks are drawn in another
order there. In float64, since in float32 the second step amplifies the rounding of the first.
"""

import json
from typing import Any

import pytest
import torch
from helpers import eat_steps as shared
from helpers.steps import train_step

from audiocls import library
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.mixing import mix_targets
from audiocls.audio.batches import Batch
from audiocls.config import Config, resolve
from audiocls.training.state import TrainingState, build

GOLDEN = json.loads(shared.GOLDEN.read_text(encoding="utf-8"))
CASES = [
    pytest.param(
        case, id=case.recipe, marks=[] if case.num_samples < 10_000 else [pytest.mark.slow]
    )
    for case in shared.CASES
]


def config_of(case: shared.Case) -> Config:
    data: dict[str, Any] = {
        "name": "synthetic",
        "num_sources": 5,
        "clips_per_source": 1,
        "sample_rate": shared.SAMPLE_RATE,
        "duration_s": case.num_samples / shared.SAMPLE_RATE,
        "events": 2 if case.is_multi_label else 1,
    }
    if "speechcommands" not in case.recipe:
        data["validation"] = "none"
    changes = {"train": {"precision": "fp32", "batch_size": 2}, "model.dropout": 0.0}
    return resolve([library.recipe(case.recipe), {"data": data}, changes], case.recipe)


def batch_of(case: shared.Case, step: int) -> Batch:
    waves = torch.from_numpy(shared.waveforms(case.num_samples, step)).double().unsqueeze(1)
    labels = shared.MULTI_LABELS if case.is_multi_label else shared.LABELS
    others = shared.OTHER_MULTI_LABELS if case.is_multi_label else shared.OTHER_LABELS
    targets = torch.from_numpy(shared.hot(labels))
    if step == 1:
        shares = torch.tensor(shared.SHARES).unsqueeze(1)
        targets = mix_targets(targets, torch.from_numpy(shared.hot(others)), shares, is_union=True)
    elif not case.is_multi_label:
        targets = torch.tensor(labels)
    return Batch(waves, targets, ClipRNG(0, torch.arange(2)), is_mixed=step == 1)


def weights_of(state: TrainingState) -> dict[str, shared.Array]:
    named = state.classifier.model.named_parameters()
    return {name: parameter.detach().numpy().copy() for name, parameter in named}


@pytest.mark.parametrize("case", CASES)
def test_two_steps_of_an_eat_recipe_equal_the_authors(case, sounds_of):
    config = config_of(case)
    state = build(config, sounds_of(config))
    for name, parameter in state.classifier.model.named_parameters():
        parameter.data.copy_(torch.from_numpy(shared.first_value(name, tuple(parameter.shape))))
    state.classifier.double().train()
    assert config.train.epochs == case.num_epochs
    assert len(state.split.train) // config.train.batch_size == case.epoch_steps
    for step, wanted in enumerate(GOLDEN["steps"][case.recipe]):
        before = weights_of(state)
        loss, norm = train_step(state, [batch_of(case, step)], is_measured=True)
        found = shared.summary(before, weights_of(state))
        assert 2 * loss.item() == pytest.approx(wanted["loss"], rel=1e-6)
        assert norm is not None
        assert norm.item() == pytest.approx(wanted["grad_norm"], rel=1e-5)
        assert found["update norm"] == pytest.approx(wanted["update norm"], rel=1e-5)
        for name, told in wanted["of"].items():
            # Sums of entries that cancel are as exact as their norm is; the gradient of a bias
            # that the next BatchNorm undoes is rounding alone.
            least = 1e-4 * told[0] + 1e-7 * wanted["update norm"]
            assert found["of"][name] == pytest.approx(told, rel=1e-4, abs=least), name
