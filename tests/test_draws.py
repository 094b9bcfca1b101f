"""ClipRNG: numbers of a clip, not of a batch; and as random as numbers should be."""

import numpy as np
import pytest
import torch
from scipy import stats

from audiocls.audio.augment.clip_rng import GOLDEN, ClipRNG, mix_bits

MANY = ClipRNG(0, torch.arange(64))
KINDS = {
    "uniform": lambda draws: draws.uniform("p", 37),
    "normal": lambda draws: draws.normal("p", 37),
    "integers": lambda draws: draws.integers("p", 1000, 37),
    "chance": lambda draws: draws.bernoulli("p", 0.5),
}


def test_the_hash_is_splitmix64():
    """The sequence of seed 1234567, as published with the reference implementation."""
    words = mix_bits(1234567 + torch.arange(1, 6) * GOLDEN)
    assert [word % 2**64 for word in words.tolist()] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_permuting_the_batch_permutes_the_draws(kind):
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    permuted = KINDS[kind](ClipRNG(0, torch.arange(64)[order]))
    torch.testing.assert_close(permuted, KINDS[kind](MANY)[order])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 5])
def test_a_clip_draws_the_same_in_a_batch_of_any_size(kind, size):
    portions = [KINDS[kind](ClipRNG(0, clips)) for clips in torch.arange(64).split(size)]
    torch.testing.assert_close(torch.cat(portions), KINDS[kind](MANY))


def test_some_rows_of_a_batch_draw_what_they_draw_in_it():
    rows = torch.tensor([3, 60, 3])
    assert torch.equal(MANY.of(rows).uniform("p", 5), MANY.uniform("p", 5)[rows])


def test_uniform_numbers_are_the_same_to_the_bit_in_a_batch_of_one():
    alone = [ClipRNG(0, clip).uniform("p", 1001) for clip in torch.arange(64).split(1)]
    assert torch.equal(torch.cat(alone), MANY.uniform("p", 1001))


def test_uniform_numbers_have_24_bits_and_never_reach_one():
    drawn = MANY.uniform("p", 40_001)
    assert drawn.shape == (64, 40_001)
    assert drawn.dtype == torch.float32
    assert drawn.min() >= 0
    assert drawn.max() < 1
    scaled = drawn.double() * 2**24
    assert torch.equal(scaled, scaled.round())
    assert (scaled.long() % 2).float().mean() == pytest.approx(0.5, abs=0.002)


def test_uniform_and_normal_numbers_are_distributed_as_they_say():
    uniform, normal = MANY.uniform("p", 3000).flatten(), MANY.normal("p", 3000).flatten()
    assert stats.kstest(uniform.numpy(), "uniform").pvalue > 1e-3
    assert stats.kstest(normal.numpy(), "norm").pvalue > 1e-3
    for power, moment in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        assert (normal.double() ** power).mean() == pytest.approx(moment, abs=0.12)


def test_across_clips_one_number_each_is_uniform_too():
    """As the choices of an epoch are drawn: one number from each of many neighbouring counters."""
    drawn = ClipRNG(3, torch.arange(50_000)).uniform("p")[:, 0]
    assert stats.kstest(drawn.numpy(), "uniform").pvalue > 1e-3
    pairs = np.histogram2d(drawn[:-1].numpy(), drawn[1:].numpy(), bins=16)[0]
    assert stats.chisquare(pairs.flatten()).pvalue > 1e-3


@pytest.mark.parametrize(
    "other",
    [
        ClipRNG(1, torch.arange(64)).uniform("p", 1000),
        MANY.uniform("q", 1000),
        ClipRNG(0, torch.arange(64) + 1).uniform("p", 1000),
        MANY.uniform("p", 1000).roll(1, dims=1),
        MANY.uniform("p", 2000)[:, 1000:],
    ],
    ids=["seeds", "purposes", "clips", "neighbours", "halves"],
)
def test_streams_know_nothing_of_each_other(other):
    drawn = MANY.uniform("p", 1000)
    correlation = torch.corrcoef(torch.stack([drawn.flatten(), other.flatten()]))[0, 1]
    assert abs(correlation) < 5 / drawn.numel() ** 0.5
    assert (drawn == other).float().mean() < 1e-4


def test_box_and_mullers_two_numbers_are_independent():
    first, second = MANY.normal("p", 2000).split(1000, dim=1)
    for one, other in ((first, second), (first**2, second**2)):
        assert abs(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]) < 0.02


def test_integers_are_alike_likely_and_stay_below_their_count():
    drawn = ClipRNG(0, torch.arange(20_000)).integers("p", 7)
    counts = torch.bincount(drawn[:, 0], minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    each = ClipRNG(0, torch.arange(3)).integers("p", torch.tensor([[1], [2], [10**12]]), 500)
    assert each[0].max() == 0
    assert set(each[1].tolist()) == {0, 1}
    assert 9e11 < each[2].max() < 1e12


def test_between_covers_its_range_and_no_more():
    drawn = MANY.between("p", -3.0, 5.0, 1000)
    assert -3 <= drawn.min() < -2.99
    assert 4.99 < drawn.max() < 5


def test_chances_of_nought_and_one_are_certain():
    assert not MANY.bernoulli("p", 0.0).any()
    assert MANY.bernoulli("p", 1.0).all()
    share = ClipRNG(0, torch.arange(10_000)).bernoulli("p", 0.3).float().mean()
    assert share == pytest.approx(0.3, abs=0.025)


@pytest.mark.parametrize("clip", [0, 2**62, -1])
def test_any_clip_number_and_any_seed_will_do(clip):
    for seed in (0, 2**63 - 1):
        assert len(ClipRNG(seed, torch.tensor([clip])).uniform("p", 100).unique()) > 95


def test_asking_for_no_numbers_gives_none():
    assert MANY.normal("p", 0).shape == (64, 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
def test_every_device_draws_the_same():
    there = MANY.on("cuda")
    assert there.uniform("p", 1001).device.type == "cuda"
    assert torch.equal(there.uniform("p", 1001).cpu(), MANY.uniform("p", 1001))
    assert torch.equal(there.integers("p", 10**9, 9).cpu(), MANY.integers("p", 10**9, 9))
    torch.testing.assert_close(there.normal("p", 1001).cpu(), MANY.normal("p", 1001))
