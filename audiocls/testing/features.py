"""What every front end owes, whatever it computes.

Legend: B batch, C channels, T samples, L frames.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from audiocls.audio.features import OwnFeatures
from audiocls.testing.part import part_of
from audiocls.training.part_checks import output_faults

NUM_SAMPLES = 4000
RATE = 16000
"""Hz."""


def features_contract(features: Any, sample_rate: int = RATE, **options: Any) -> None:
    """Raise `AssertionError` if a front end breaks a rule at `sample_rate` Hz.

    Args:
        features: an import string, or a shipped front end's options.
        sample_rate: Hz.
        options: of the import string's callable.
    """
    part = part_of(OwnFeatures, features, options)
    rules = (*RULES, *(OF_LEARNED if part.is_learned else OF_FIXED))
    for rule in rules:
        rule(part, sample_rate)


def built(features: Any, sample_rate: int, seed: int = 0) -> nn.Module:
    """Return the module for `sample_rate` Hz, initialised by `seed`."""
    torch.manual_seed(seed)
    module: nn.Module = features.build(sample_rate)
    return module


def noise(*shape: int) -> Tensor:
    """Return uniform noise in ±0.5, the same each time. Shape: → as given"""
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) - 0.5


EXTREMES = {
    "silence": torch.zeros(NUM_SAMPLES),
    "direct current": torch.ones(NUM_SAMPLES),
    "full scale noise": 2 * noise(NUM_SAMPLES),
    "full scale square": noise(NUM_SAMPLES).sign(),
    "impulse": (torch.arange(NUM_SAMPLES) == NUM_SAMPLES // 2).float(),
    "quietest bit": torch.full((NUM_SAMPLES,), 1 / 32768),
}


def the_shape_is_the_one_foretold(features: Any, sample_rate: int) -> None:
    """Of clips of 4,000 samples and of one more."""
    for length in (NUM_SAMPLES, NUM_SAMPLES + 1):
        shape = features.shape(length, sample_rate)
        assert list(output_faults(built(features, sample_rate), noise(2, length), shape)) == []


def the_extremes_of_sound_are_finite(features: Any, sample_rate: int) -> None:
    """Silence, clicks, full scale."""
    for name, extreme in EXTREMES.items():
        assert built(features, sample_rate).eval()(extreme[None]).isfinite().all(), name


def a_clip_does_not_depend_on_its_batch(features: Any, sample_rate: int) -> None:
    """A clip's features are those that it has alone."""
    front_end, waveforms = built(features, sample_rate).eval(), noise(5, NUM_SAMPLES)
    alone = torch.cat([front_end(wave[None]) for wave in waveforms])
    torch.testing.assert_close(front_end(waveforms), alone, atol=1e-4, rtol=1e-4)


def different_sounds_have_different_features(features: Any, sample_rate: int) -> None:
    """Two clips of noise."""
    one, other = built(features, sample_rate).eval()(noise(2, NUM_SAMPLES))
    assert (one - other).abs().max() > 1e-3


def the_same_seed_gives_the_same_module(features: Any, sample_rate: int) -> None:
    """To the bit."""
    one, other = (built(features, sample_rate).state_dict() for _ in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def gradients_of_the_extremes_are_finite(features: Any, sample_rate: int) -> None:
    """Of a learned front end."""
    for name, extreme in EXTREMES.items():
        front_end = built(features, sample_rate)
        torch.autograd.backward(front_end(extreme.expand(2, -1)).square().mean())
        gradients = [p.grad for p in front_end.parameters() if p.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients), name


def a_gradient_reaches_every_parameter(features: Any, sample_rate: int) -> None:
    """Of a learned front end, which has some."""
    front_end = built(features, sample_rate)
    weights = torch.linspace(-1, 1, features.shape(NUM_SAMPLES, sample_rate)[1])
    torch.autograd.backward((front_end(noise(3, NUM_SAMPLES)) * weights).square().mean())
    without = [n for n, p in front_end.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert [*front_end.parameters()]


def a_state_restores_a_trained_one(features: Any, sample_rate: int) -> None:
    """Exactly."""
    trained, waveforms = built(features, sample_rate), noise(2, NUM_SAMPLES)
    optimizer = torch.optim.Adam(trained.parameters(), lr=1e-2)
    torch.autograd.backward(trained(waveforms).square().mean())
    optimizer.step()
    restored = built(features, sample_rate, seed=1)
    assert not torch.equal(restored.eval()(waveforms), trained.eval()(waveforms))
    restored.load_state_dict(trained.state_dict())
    assert torch.equal(restored(waveforms), trained(waveforms))


def a_fixed_one_has_nothing_to_train_nor_to_draw(features: Any, sample_rate: int) -> None:
    """It is the same in training and in evaluation, whatever the seed."""
    front_end, waveforms = built(features, sample_rate, seed=1), noise(2, NUM_SAMPLES)
    assert not [name for name, p in front_end.named_parameters() if p.requires_grad]
    assert torch.equal(front_end(waveforms), built(features, sample_rate, seed=2)(waveforms))
    assert torch.equal(front_end.train()(waveforms), front_end.eval()(waveforms))


Rule = Callable[[Any, int], None]
RULES: tuple[Rule, ...] = (
    the_shape_is_the_one_foretold,
    the_extremes_of_sound_are_finite,
    a_clip_does_not_depend_on_its_batch,
    different_sounds_have_different_features,
    the_same_seed_gives_the_same_module,
)
OF_LEARNED: tuple[Rule, ...] = (
    gradients_of_the_extremes_are_finite,
    a_gradient_reaches_every_parameter,
    a_state_restores_a_trained_one,
)
OF_FIXED: tuple[Rule, ...] = (a_fixed_one_has_nothing_to_train_nor_to_draw,)
