"""What every front end owes, whatever it computes.

The front ends are those of the union `Features`: a new one joins by joining. Its default options
are tested unless `TINY` names smaller ones.

Legend: B batch, C channels, T samples, L frames.
"""

import importlib.util
import subprocess
import sys
from typing import Any, get_args

import pytest
import torch
from helpers.encoders import needs_encoder

from audiocls.audio.features import Features
from audiocls.errors import ConfigError
from audiocls.testing import features as owed

TINY: dict[str, list[dict[str, Any]]] = {
    "raw": [{}, {"normalise": "abs_max"}, {"normalise": "batch_norm"}],
    "logmel": [{"n_mels": 16, "n_fft": 256, "hop": 128}, {"normalise": "clip"}],
    "spectrogram": [{"n_fft": 65, "hop": 30}, {"scale": "magnitude", "normalise": "clip"}],
    "mfcc": [{"n_mfcc": 8, "n_mels": 16, "n_fft": 256, "hop": 128}, {"normalise": "clip"}],
    "leaf": [{"num_filters": 8, "window": 101, "hop": 64}],
    "sincnet": [{"num_filters": 8, "kernel": 51, "window": 101, "hop": 64}],
    "encodec": [{"weights": "untrained"}, {"weights": "untrained", "output": "codes"}],
}
RATES = {"encodec": 24000}
LENGTHS = (1, 2, 63, 64, 65, 128, 129, 201, 1000, 4000, 4001)

AnyFeatures = Any


def rate_of(features: AnyFeatures) -> int:
    return RATES.get(features.name, 16000)


def tiny(part: Any) -> list[AnyFeatures]:
    return [part(**options) for options in TINY.get(part().name, [{}])]


PARTS = [part for part in get_args(get_args(Features)[0]) if not needs_encoder(part)]
"""Those that need one are held to the contract in `test_encoders.py`."""
ALL = [features for part in PARTS for features in tiny(part)]
HERE = [
    features
    for features in ALL
    if features.name != "encodec" or importlib.util.find_spec("encodec") is not None
]


def label(features: AnyFeatures) -> str:
    changed = (getattr(features, name) for name in sorted(features.changed()))
    return "-".join(map(str, [features.name, *changed]))


EVERY = pytest.mark.parametrize("features", HERE, ids=label)
LEARNED = pytest.mark.parametrize("features", [f for f in HERE if f.is_learned], ids=label)
FIXED = pytest.mark.parametrize("features", [f for f in HERE if not f.is_learned], ids=label)


@EVERY
def test_every_length_gives_the_shape_foretold_or_is_refused_by_both(features):
    front_end, taken = owed.built(features, rate_of(features)).eval(), []
    for length in LENGTHS:
        try:
            channels, frames = features.shape(length, rate_of(features))
        except ConfigError as error:
            assert f"got a clip of {length} samples, allowed:" in str(error)  # noqa: PT017
            with pytest.raises(ConfigError):
                front_end(owed.noise(2, length))
            continue
        out = front_end(owed.noise(2, length))
        assert out.shape == (2, channels, frames)
        assert out.dtype == torch.float32
        taken.append(length)
    assert LENGTHS[-1] in taken


@EVERY
@pytest.mark.parametrize("rule", owed.RULES, ids=lambda rule: rule.__name__)
def test_it_keeps_the_contract(features, rule):
    rule(features, rate_of(features))


@LEARNED
@pytest.mark.parametrize("rule", owed.OF_LEARNED, ids=lambda rule: rule.__name__)
def test_a_learned_one_keeps_its_contract(features, rule):
    rule(features, rate_of(features))


@FIXED
@pytest.mark.parametrize("rule", owed.OF_FIXED, ids=lambda rule: rule.__name__)
def test_a_fixed_one_keeps_its_contract(features, rule):
    rule(features, rate_of(features))


@EVERY
def test_options_survive_being_written_and_read(features):
    assert type(features).model_validate_json(features.model_dump_json()) == features


@pytest.mark.parametrize("features", ALL, ids=label)
def test_what_it_says_of_itself_has_the_types_agreed_on(features):
    assert features.wave_normalise in ("none", "abs_max", "standard")
    assert isinstance(features.uses_training_statistics, bool)
    assert isinstance(features.is_learned, bool)
    assert features.check(rate_of(features)) == []


@pytest.mark.parametrize("features", ALL, ids=label)
def test_what_check_finds_is_what_build_refuses(features):
    banded = {"f_min": 9000.0, "f_max": 9500.0} if "f_min" in type(features).model_fields else {}
    wrong = features.model_copy(update=banded)
    faults = wrong.check(16000)
    assert len(faults) >= len(banded)
    if faults:
        with pytest.raises(ConfigError) as caught:
            wrong.build(16000)
        assert caught.value.faults == faults
        assert "16000 Hz" in str(caught.value)


def test_reading_checking_and_sizing_every_front_end_imports_no_torch():
    program = (
        "import sys, typing, audiocls.audio.features as f\n"
        f"for part in typing.get_args(typing.get_args(f.Features)[0])[:{len(PARTS)}]:\n"
        "    part().shape(24000, 24000), part().check(24000), part().identity(), part().notes()\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
