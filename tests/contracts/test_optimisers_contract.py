"""What every optimiser and every schedule owes; a new one joins by joining its union."""

import copy
import io
import itertools
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.optim import Optim, Sam, Schedule
from audiocls.optim.stepping import stepper

OPTIMISERS = [part() for part in get_args(get_args(Optim)[0])]
SCHEDULES = [part() for part in get_args(get_args(Schedule)[0])]
EVERY_OPTIMISER = pytest.mark.parametrize("optim", OPTIMISERS, ids=lambda o: o.name)
EVERY_SCHEDULE = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name)
RADII = pytest.mark.parametrize("rho", [0.0, 0.05], ids=["plain", "sam"])

X = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long() + (X[:, 1] > 0).long()


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


class Training:
    """A network, an optimiser, a schedule and SAM around it."""

    def __init__(self, optim: Any, schedule: Any, rho: float = 0.0, num_steps: int = 10):
        self.model = network()
        self.optimizer = optim.build(self.model)
        self.schedule = schedule.build(self.optimizer, num_steps, 1)
        self.stepper = stepper(Sam(rho=rho), self.model, self.optimizer)

    def gradient(self) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(X), Y)
        loss.backward()
        return loss

    def steps(self, num_steps: int) -> list[float]:
        seen = []
        for _ in range(num_steps):
            seen.append(float(self.stepper.step(self.gradient, lambda: None)))
            self.schedule.step()
        return seen

    def state(self) -> bytes:
        buffer = io.BytesIO()
        parts = (self.model, self.optimizer, self.schedule)
        torch.save([part.state_dict() for part in parts], buffer)
        return buffer.getvalue()

    def restore(self, state: bytes) -> None:
        saved = torch.load(io.BytesIO(state), weights_only=True)
        for part, content in zip((self.model, self.optimizer, self.schedule), saved, strict=True):
            part.load_state_dict(content)


@EVERY_OPTIMISER
@RADII
def test_it_reduces_the_loss(optim, rho):
    seen = Training(optim, SCHEDULES[0], rho).steps(50)
    assert seen[-1] < 0.9 * seen[0]


@EVERY_OPTIMISER
@EVERY_SCHEDULE
@RADII
def test_it_goes_on_from_a_saved_state_as_if_never_stopped(optim, schedule, rho):
    whole = Training(optim, schedule, rho)
    expected = whole.steps(10)
    for stop in (1, 4, 9):
        before, after = Training(optim, schedule, rho), Training(optim, schedule, rho)
        seen = before.steps(stop)
        after.restore(before.state())
        assert seen + after.steps(10 - stop) == expected
        for one, other in zip(after.model.parameters(), whole.model.parameters(), strict=True):
            assert torch.equal(one, other)


@EVERY_OPTIMISER
def test_it_starts_at_the_configured_rate_and_moves_every_parameter(optim):
    training = Training(optim, SCHEDULES[0])
    assert {group["lr"] for group in training.optimizer.param_groups} == {optim.lr}
    before = copy.deepcopy(training.model)
    training.steps(2)
    for old, new in zip(before.parameters(), training.model.parameters(), strict=True):
        assert not torch.equal(old, new)


@EVERY_OPTIMISER
def test_without_gradient_and_decay_nothing_moves(optim):
    model = network()
    before = copy.deepcopy(model)
    optimizer = optim.model_copy(update={"weight_decay": 0.0}).build(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for old, new in zip(before.parameters(), model.parameters(), strict=True):
        assert torch.equal(old, new)


@EVERY_OPTIMISER
def test_decay_is_confined_to_parameters_of_more_than_one_dimension(optim):
    groups = optim.model_copy(update={"weight_decay": 0.1}).build(network()).param_groups
    for group in groups:
        expected = {0.1} if all(p.ndim > 1 for p in group["params"]) else {0.0}
        assert {group["weight_decay"]} == expected
        assert len({p.ndim > 1 for p in group["params"]}) == 1


@EVERY_OPTIMISER
def test_what_is_frozen_stays(optim):
    model = network()
    model[0].weight.requires_grad_(False)
    before = model[0].weight.clone()
    optimizer = optim.build(model)
    F.cross_entropy(model(X), Y).backward()
    optimizer.step()
    assert torch.equal(model[0].weight, before)


LENGTHS = list(itertools.product((1, 2, 3, 10, 50), (1, 2, 4, 7)))


@EVERY_SCHEDULE
@pytest.mark.parametrize(("num_epochs", "steps_an_epoch"), LENGTHS)
def test_rates_stay_between_zero_and_the_configured_one(schedule, num_epochs, steps_an_epoch):
    optimizer = torch.optim.SGD(network().parameters(), lr=0.1)
    driven = schedule.build(optimizer, num_epochs, steps_an_epoch)
    seen = []
    for _ in range(num_epochs * steps_an_epoch):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        driven.step()
    assert min(seen) >= 0.0
    assert max(seen) <= 0.1 + 1e-12
    assert max(seen) > 0.0


@EVERY_SCHEDULE
def test_the_rate_is_reached_at_some_step_of_a_usual_training(schedule):
    optimizer = torch.optim.SGD(network().parameters(), lr=0.1)
    driven = schedule.build(optimizer, 20, 10)
    seen: list[float] = []
    for _ in range(200):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        driven.step()
    assert max(seen) == pytest.approx(0.1)
