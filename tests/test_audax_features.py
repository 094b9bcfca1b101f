"""Front ends, LARS and exponential decay give audax' and optax' numbers under the options for it.

Golden numbers of their own code: `benchmarks/audax_steps.py`.
"""

import json
from typing import Any

import numpy as np
import pytest
import torch
from helpers import audax_steps as shared

from audiocls.audio.features.leaf import Leaf
from audiocls.audio.features.logmel import LogMel
from audiocls.audio.features.sincnet import SincNet
from audiocls.optim import LARS, Exponential

GOLDEN = json.loads(shared.GOLDEN.read_text(encoding="utf-8"))
LEAF: dict[str, Any] = {
    "f_max": 7800.0,
    "init": "bins",
    "pooling": "sum",
    "padding": "same",
    "floor": 1e-12,
    "least_power": 1e-5,
}
FRONT_ENDS = {
    "logmel": LogMel(
        n_mels=64,
        n_fft=1024,
        window=400,
        f_min=60.0,
        f_max=7800.0,
        framing="leading",
        offset=1e-8,
        compression="clamp",
        normalise="none",
    ),
    "leaf": Leaf(**LEAF),
    "sincnet": SincNet(num_filters=40, kernel=401, design="max_pool"),
}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_a_front_end_equals_that_of_audax(name):
    options = FRONT_ENDS[name]
    waves = torch.from_numpy(shared.waveforms()).float()
    with torch.no_grad():
        found = options.build(16_000)(waves).numpy()
    wanted = np.array(GOLDEN["features"][name])
    assert found.shape == wanted.shape == (2, *options.shape(waves.shape[1], 16_000))
    # In float32 the logarithm of a power that all but cancels is as exact as its rounding.
    assert np.median(np.abs(found - wanted)) < 2e-6 * np.abs(wanted).max()
    assert np.abs(found - wanted).max() < 2e-4 * np.abs(wanted).max()


@pytest.mark.parametrize(("options", "num"), [(Leaf(**LEAF), 280), (FRONT_ENDS["sincnet"], 160)])
def test_learned_front_ends_have_as_many_parameters_as_those_of_audax(options, num):
    assert sum(p.numel() for p in options.build(16_000).parameters()) == num


def loudness(options: Leaf, rms: float) -> float:
    """The mean of LEAF's features of noise at a level."""
    noise = np.random.default_rng(0).standard_normal((1, 8000))
    with torch.no_grad():
        return float(options.build(16_000)(torch.from_numpy(rms * noise).float()).mean())


def test_pcen_cancels_loudness_at_recording_levels_under_the_scale_of_audax():
    loud, faint = (loudness(Leaf(**LEAF), rms) for rms in (0.1, 0.01))
    assert faint > 0.8 * loud
    loud, faint = (loudness(Leaf(), rms) for rms in (0.1, 0.01))
    assert faint < 0.6 * loud


@pytest.mark.parametrize("is_nesterov", [False, True])
def test_lars_takes_the_steps_of_optax(is_nesterov):
    model = torch.nn.Module()
    for name, value in shared.lars_arrays(0).items():
        model.register_parameter(name, torch.nn.Parameter(torch.from_numpy(value)))
    options = LARS(lr=5.0, nesterov=is_nesterov, weight_decay=0.01, decays="all")
    optimizer = options.build(model)
    for step in range(1, 4):
        optimizer.param_groups[0]["lr"] = 5.0 - (step - 1)
        for name, gradient in shared.lars_arrays(step).items():
            model.get_parameter(name).grad = torch.from_numpy(gradient)
        optimizer.step()
        for name, wanted in GOLDEN["lars"][3 * is_nesterov + step - 1].items():
            assert model.get_parameter(name).detach().numpy() == pytest.approx(np.array(wanted))


def test_exponential_decay_has_the_rates_of_optax():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    schedule = Exponential(hold_epochs=1, lowest_lr=2e-3).build(optimizer, 10, 4)
    found = []
    for _ in range(40):
        found.append(schedule.lr)
        optimizer.step()
        schedule.step()
    assert found == pytest.approx(GOLDEN["rates"]["exponential"])
