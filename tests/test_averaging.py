"""Averaged weights: closed forms, and BatchNorm's statistics after them.

Legend: B batch, C channels, D width.
"""

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from audiocls.optim import SGD, Constant, Cosine, Ema, NoAveraging, OneCycle, Plateau, Swa
from audiocls.optim.batch_norm import refresh_batch_norm


def normed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)).double()


def wander(module: nn.Module, seed: int) -> None:
    """Every parameter and statistic somewhere else; one more batch counted."""
    draws = torch.Generator().manual_seed(seed)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.randn(tensor.shape, generator=draws, dtype=tensor.dtype))
        else:
            tensor.add_(1)


def floats(module: nn.Module) -> Tensor:
    """All parameters and statistics in one row (D,)."""
    state = module.state_dict().values()
    return torch.cat([tensor.flatten() for tensor in state if tensor.is_floating_point()])


@pytest.mark.parametrize(("decay", "every"), [(0.995, 5), (0.5, 1), (0.9, 3)])
def test_ema_is_the_weighted_sum_that_its_decays_say(decay, every):
    module = normed()
    average = Ema(decay=decay, every_steps=every).build(module, 1, 1)
    points = [floats(module)]
    for step in range(1, 201):
        wander(module, step)
        average.after_step()
        if step % every == 0:
            points.append(floats(module))
    num_updates = len(points) - 1
    decays = [min(decay, (1 + n) / (10 + n)) for n in range(num_updates)]
    shares = [1.0, *(1 - d for d in decays)]
    weights = [shares[i] * math.prod(decays[i:]) for i in range(num_updates + 1)]
    assert sum(weights) == pytest.approx(1.0)
    expected = sum(weight * point for weight, point in zip(weights, points, strict=True))
    torch.testing.assert_close(floats(average.evaluated()), expected)


def test_emas_start_is_forgotten_within_a_short_training():
    """Its weight after 20 updates: nothing, where a decay of 0.995 would leave it 90 %."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.ones_(module.weight)
    average = Ema(every_steps=1).build(module, 1, 1)
    nn.init.zeros_(module.weight)
    for _ in range(20):
        average.after_step()
    assert 0 < float(average.evaluated().weight) < 1e-6


def test_ema_with_a_decay_of_zero_is_the_live_model_to_the_bit():
    module = normed()
    average = Ema(decay=0.0, every_steps=1).build(module, 1, 1)
    for step in range(3):
        wander(module, step)
        average.after_step()
        assert torch.equal(floats(average.evaluated()), floats(module))


def test_ema_between_two_updates_is_that_of_the_last_one():
    module = normed()
    average = Ema(every_steps=3).build(module, 1, 1)
    for step in range(1, 4):
        assert average.evaluated() is module  # nothing averaged yet
        wander(module, step)
        average.after_step()
    before = floats(average.evaluated())
    wander(module, 4)
    average.after_step()
    assert torch.equal(floats(average.evaluated()), before)


def test_ema_of_standing_weights_is_those_weights_to_the_bit():
    module = normed().float()
    average = Ema(every_steps=1).build(module, 1, 1)
    for _ in range(50):
        average.after_step()
    assert torch.equal(floats(average.evaluated()), floats(module))


def test_swa_is_the_mean_of_the_weights_at_the_ends_of_its_epochs():
    module = normed()
    average = Swa(start=0.4).build(module, 10, 1)
    ends = []
    for epoch in range(1, 11):
        wander(module, epoch)
        average.after_step()
        average.after_epoch(epoch)
        ends.append(floats(module))
        if epoch <= 4:
            assert average.evaluated() is module
            assert not average.needs_batch_norm_statistics
        else:
            mean = torch.stack(ends[4:]).mean(0)
            torch.testing.assert_close(floats(average.evaluated()), mean)
            assert average.needs_batch_norm_statistics


@pytest.mark.parametrize(("start", "num_epochs"), [(0.0, 5), (0.8, 1), (0.99, 10), (0.5, 2)])
def test_swa_averages_at_least_one_epoch_of_any_training(start, num_epochs):
    assert 0 <= Swa(start=start).num_before(num_epochs) < num_epochs
    module = normed()
    average = Swa(start=start).build(module, num_epochs, 1)
    for epoch in range(1, num_epochs + 1):
        average.after_epoch(epoch)
    assert average.evaluated() is not module


def test_only_a_mean_of_weights_with_batch_norm_asks_for_new_statistics():
    for options in (NoAveraging(), Ema(every_steps=1), Swa(start=0.0)):
        for module in (normed(), nn.Linear(2, 2)):
            average = options.build(module, 1, 1)
            average.after_step()
            average.after_epoch(1)
            is_asking = isinstance(options, Swa) and not isinstance(module, nn.Linear)
            assert average.needs_batch_norm_statistics == is_asking


@pytest.mark.parametrize("options", [Ema(every_steps=1), Swa(start=0.0)], ids=lambda o: o.name)
def test_an_average_follows_tied_weights_and_copies_counts(options):
    module = normed()
    module.extra = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]).double()
    module.extra[1].weight = module.extra[0].weight
    average = options.build(module, 3, 1)
    twin = nn.Linear(2, 2).double()
    twin.load_state_dict(module.extra[0].state_dict())
    alone = options.build(twin, 3, 1)
    for epoch in (1, 2, 3):
        wander(twin, epoch)
        module.extra[0].load_state_dict(twin.state_dict())
        module[1].num_batches_tracked.add_(7)
        for each in (average, alone):
            each.after_step()
            each.after_epoch(epoch)
    tied = average.evaluated().extra
    assert tied[0].weight is tied[1].weight
    assert torch.equal(tied[0].weight, alone.evaluated().weight)
    assert int(average.evaluated()[1].num_batches_tracked) == 21


def test_an_average_leaves_the_weights_that_are_trained_alone():
    module = normed()
    before = floats(module)
    for options in (Ema(every_steps=1), Swa(start=0.0)):
        average = options.build(module, 1, 1)
        average.after_step()
        average.after_epoch(1)
        average.evaluated()[0].weight.fill_(1e6)
    assert torch.equal(floats(module), before)


# BatchNorm's statistics

CLIPS = torch.randn(24, 4, generator=torch.Generator().manual_seed(1)).double() * 3 + 1


def test_statistics_from_one_batch_are_those_of_one_big_pass():
    module = nn.Sequential(nn.BatchNorm1d(4)).double()
    wander(module, 0)
    refresh_batch_norm(module, [CLIPS])
    torch.testing.assert_close(module[0].running_mean, CLIPS.mean(0))
    torch.testing.assert_close(module[0].running_var, CLIPS.var(0))


@pytest.mark.parametrize("sizes", [[8, 8, 8], [10, 10, 4], [22, 2]])
def test_the_mean_from_batches_of_any_sizes_is_that_of_one_big_pass(sizes):
    module = nn.Sequential(nn.BatchNorm1d(4)).double()
    wander(module, 0)
    batches = CLIPS.split(sizes)
    refresh_batch_norm(module, batches)
    torch.testing.assert_close(module[0].running_mean, CLIPS.mean(0))
    within = sum(len(batch) * batch.var(0) for batch in batches) / len(CLIPS)
    torch.testing.assert_close(module[0].running_var, within)


def test_with_equal_batches_and_no_dropout_it_is_what_torch_does():
    ours, torchs = normed(), normed()
    refresh_batch_norm(ours, CLIPS.split(6))
    update_bn(CLIPS.split(6), torchs)
    torch.testing.assert_close(floats(ours), floats(torchs))


def test_the_refreshed_network_scores_a_batch_as_it_would_train_on_it():
    module = normed()
    wander(module, 3)
    refresh_batch_norm(module, [CLIPS])
    norm = module[1]
    x = module[0](CLIPS)
    unbiased = len(CLIPS) / (len(CLIPS) - 1)  # what running_var holds, and the batch's own lacks
    expected = (x - x.mean(0)) / (unbiased * x.var(0, correction=0) + norm.eps).sqrt()
    torch.testing.assert_close(norm.eval()(x), expected * norm.weight + norm.bias)


def test_refreshing_draws_nothing_and_puts_everything_back():
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4)).double()
    module[0].eval()
    modes = [part.training for part in module.modules()]
    weights = [p.clone() for p in module.parameters()]
    random = torch.get_rng_state()
    refresh_batch_norm(module, CLIPS.split(6))
    assert torch.equal(torch.get_rng_state(), random)
    assert [part.training for part in module.modules()] == modes
    assert module[2].momentum == 0.1
    assert all(torch.equal(p, w) for p, w in zip(module.parameters(), weights, strict=True))
    torch.testing.assert_close(module[2].running_mean, module[0](CLIPS).mean(0))


def test_refreshing_puts_everything_back_when_a_pass_raises():
    module = normed().eval()
    with pytest.raises(RuntimeError):
        refresh_batch_norm(module, [CLIPS[:, :3]])
    assert not any(part.training for part in module.modules())
    assert module[1].momentum == 0.1


def test_without_batches_or_without_statistics_nothing_changes():
    for module, batches in (
        (normed(), []),
        (nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False)).double(), [CLIPS]),
    ):
        before = copy.deepcopy(module.state_dict())
        refresh_batch_norm(module, batches)
        assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())


# SWA's learning rate

STEPS = 4


def driven(averaging, schedule, num_epochs: int = 10) -> list[float]:
    """The rate of every step, after a schedule at 0.1 in epochs of four steps."""
    optimizer = SGD(lr=0.1).build(nn.Linear(2, 2))
    inner = schedule.build(optimizer, num_epochs, STEPS)
    rate = averaging.wrap_schedule(inner, optimizer, num_epochs, STEPS)
    seen = []
    for _ in range(num_epochs):
        for _ in range(STEPS):
            assert {group["lr"] for group in optimizer.param_groups} == {rate.lr}
            seen.append(rate.lr)
            optimizer.step()
            rate.step()
        rate.end_epoch(0.0)
    return seen


@pytest.mark.parametrize("schedule", [Constant(), Cosine(), OneCycle(), Plateau(patience=1)])
def test_the_schedule_holds_until_swa_begins(schedule):
    alone = driven(NoAveraging(), schedule)
    assert driven(Ema(), schedule) == alone
    with_swa = driven(Swa(start=0.6, lr=0.03, anneal_epochs=2), schedule)
    assert with_swa[: 6 * STEPS] == alone[: 6 * STEPS]
    start = alone[6 * STEPS - 1]
    way = [0.5 * (1 - math.cos(math.pi * step / (2 * STEPS))) for step in range(2 * STEPS)]
    expected = [(1 - share) * start + share * 0.03 for share in way]
    assert with_swa[6 * STEPS : 8 * STEPS] == pytest.approx(expected)
    assert with_swa[8 * STEPS :] == [pytest.approx(0.03)] * 2 * STEPS


def test_swa_without_annealing_goes_to_its_rate_at_once():
    seen = driven(Swa(start=0.5, lr=0.2, anneal_epochs=0), Constant())
    assert seen == [0.1] * 5 * STEPS + [0.2] * 5 * STEPS


def test_swa_from_the_start_leaves_the_schedule_no_step():
    assert set(driven(Swa(start=0.0, lr=0.2, anneal_epochs=0), OneCycle())) == {0.2}
