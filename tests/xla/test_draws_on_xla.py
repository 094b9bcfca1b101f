"""Random numbers of a clip are the same on XLA as on the CPU: hashes of 64-bit words."""

import jax
import numpy as np
import pytest
import torch
from torch import Tensor
from torchax import default_env
from torchax.interop import jax_view

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import GOLDEN, ClipRNG, mix_bits
from audiocls.audio.augment.spec_augment import draw_masks, masked


@pytest.fixture(autouse=True)
def _on_xla():
    """Tensors may be on the device `jax`."""
    with default_env():
        yield


CLIPS = torch.tensor([0, 1, 7, 2**40 + 3, 2**62 + 1])


def back(tensor: Tensor) -> Tensor:
    return torch.from_numpy(np.array(jax_view(tensor)))


def test_shifts_of_negative_words_are_arithmetic_and_products_wrap():
    words = CLIPS * GOLDEN
    assert (words < 0).any()
    on_xla = words.to("jax")
    assert torch.equal(back(on_xla >> 30), words >> 30)
    assert torch.equal(back(on_xla * GOLDEN), words * GOLDEN)
    assert torch.equal(back(mix_bits(on_xla.clone())), mix_bits(words.clone()))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_numbers_are_those_of_the_cpu_to_the_bit(size):
    here, there = ClipRNG(7, CLIPS), ClipRNG(7, CLIPS, device="jax")
    assert torch.equal(back(there.uniform("gain", size)), here.uniform("gain", size))
    for counts in (3, 20, 2**20 + 1):
        drawn = there.integers("start", counts, size)
        assert torch.equal(back(drawn), here.integers("start", counts, size))
    assert torch.equal(back(there.bernoulli("neg", 0.4)), here.bernoulli("neg", 0.4))


def test_masks_are_those_of_the_cpu():
    features, options = torch.randn(5, 16, 31), Augment(freq_mask=6, time_mask=9)
    draws, shape = ClipRNG(7, CLIPS), features.shape[1:]
    expected = masked(features, draw_masks(options, shape, draws))
    assert (expected == 0).any()
    there = draw_masks(options, shape, draws.on("jax"))
    assert torch.equal(back(masked(features.to("jax"), there)), expected)


def test_they_may_be_drawn_inside_a_compiled_function():
    @jax.jit
    def drawn():
        return jax_view(ClipRNG(7, CLIPS, device="jax").uniform("gain", 4))

    assert np.array_equal(drawn(), ClipRNG(7, CLIPS).uniform("gain", 4).numpy())
