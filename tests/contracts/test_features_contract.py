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
from torch import Tensor, nn

from audiocls.audio.features import Features
from audiocls.errors import ConfigError

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
NUM_SAMPLES = 4000

AnyFeatures = Any


def rate_of(features: AnyFeatures) -> int:
    return RATES.get(features.name, 16000)


def tiny(part: Any) -> list[AnyFeatures]:
    return [part(**options) for options in TINY.get(part().name, [{}])]


ALL = [features for part in get_args(get_args(Features)[0]) for features in tiny(part)]
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


def built(features: AnyFeatures, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return features.build(rate_of(features))


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) - 0.5


@EVERY
def test_every_length_gives_the_shape_foretold_or_is_refused_by_both(features):
    front_end, taken = built(features).eval(), []
    for length in LENGTHS:
        try:
            channels, frames = features.shape(length)
        except ConfigError as error:
            assert f"got a clip of {length} samples, allowed:" in str(error)  # noqa: PT017
            with pytest.raises(ConfigError):
                front_end(noise(2, length))
            continue
        out = front_end(noise(2, length))
        assert out.shape == (2, channels, frames)
        assert out.dtype == torch.float32
        taken.append(length)
    assert LENGTHS[-1] in taken


EXTREMES = {
    "silence": torch.zeros(NUM_SAMPLES),
    "direct current": torch.ones(NUM_SAMPLES),
    "full scale noise": 2 * noise(NUM_SAMPLES),
    "full scale square": noise(NUM_SAMPLES).sign(),
    "impulse": (torch.arange(NUM_SAMPLES) == NUM_SAMPLES // 2).float(),
    "quietest bit": torch.full((NUM_SAMPLES,), 1 / 32768),
}


@EVERY
@pytest.mark.parametrize("extreme", EXTREMES)
def test_the_extremes_of_sound_are_finite(features, extreme):
    assert built(features).eval()(EXTREMES[extreme][None]).isfinite().all()


@LEARNED
@pytest.mark.parametrize("extreme", EXTREMES)
def test_and_so_are_their_gradients(features, extreme):
    front_end = built(features)
    front_end(EXTREMES[extreme].expand(2, -1)).square().mean().backward()
    assert all(p.grad.isfinite().all() for p in front_end.parameters())


@EVERY
def test_a_clip_does_not_depend_on_its_batch(features):
    front_end, waveforms = built(features).eval(), noise(5, NUM_SAMPLES)
    alone = torch.cat([front_end(wave[None]) for wave in waveforms])
    torch.testing.assert_close(front_end(waveforms), alone, atol=1e-4, rtol=1e-4)


@EVERY
def test_different_sounds_have_different_features(features):
    one, other = built(features).eval()(noise(2, NUM_SAMPLES))
    assert (one - other).abs().max() > 1e-3


@LEARNED
def test_a_gradient_reaches_every_parameter_of_a_learned_one(features):
    front_end = built(features)
    weights = torch.linspace(-1, 1, features.shape(NUM_SAMPLES)[1])
    (front_end(noise(3, NUM_SAMPLES)) * weights).square().mean().backward()
    without = [n for n, p in front_end.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert [*front_end.parameters()]


@FIXED
def test_a_fixed_one_has_nothing_to_train_nor_to_draw(features):
    front_end, waveforms = built(features, seed=1), noise(2, NUM_SAMPLES)
    assert not [name for name, p in front_end.named_parameters() if p.requires_grad]
    assert torch.equal(front_end(waveforms), built(features, seed=2)(waveforms))
    assert torch.equal(front_end.train()(waveforms), front_end.eval()(waveforms))


@EVERY
def test_the_same_seed_gives_the_same_module(features):
    one, other = (built(features).state_dict() for _ in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@LEARNED
def test_a_state_restores_a_trained_one_exactly(features):
    trained, waveforms = built(features), noise(2, NUM_SAMPLES)
    optimizer = torch.optim.Adam(trained.parameters(), lr=1e-2)
    trained(waveforms).square().mean().backward()
    optimizer.step()
    restored = built(features, seed=1)
    assert not torch.equal(restored.eval()(waveforms), trained.eval()(waveforms))
    restored.load_state_dict(trained.state_dict())
    assert torch.equal(restored(waveforms), trained(waveforms))


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
        "for part in typing.get_args(typing.get_args(f.Features)[0]):\n"
        "    part().shape(24000), part().check(24000), part().identity(), part().notes()\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
