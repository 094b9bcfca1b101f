"""What every optimiser and every schedule owes; a new one joins by joining its union."""

import copy
import io
import itertools
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.optim import Averaging, Ema, NoAveraging, Optim, Plateau, Sam, Schedule
from audiocls.optim.optimizers import stepper
from audiocls.testing import optimisers as owed


def members(union: Any) -> tuple[Any, ...]:
    """The parts of a discriminated union."""
    return get_args(get_args(union)[0])


OPTIMISERS = [part() for part in members(Optim)]
SCHEDULES = [Plateau(patience=0) if part is Plateau else part() for part in members(Schedule)]
EVERY_OPTIMISER = pytest.mark.parametrize("optim", OPTIMISERS, ids=lambda o: o.name)
EVERY_SCHEDULE = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name)
SAMS = [Sam(), Sam(rho=0.05), Sam(rho=0.5, adaptive=True)]
EVERY_SAM = pytest.mark.parametrize("sam", SAMS, ids=["plain", "sam", "asam"])
AVERAGES = [Ema(every_steps=2) if part is Ema else part() for part in members(Averaging)]
EVERY_AVERAGE = pytest.mark.parametrize("averaging", AVERAGES, ids=lambda a: a.name)

X, Y = owed.clips()
network = owed.network


class Training:
    """A network, an optimiser, a schedule, SAM and an average around it; two steps an epoch."""

    def __init__(self, optim: Any, schedule: Any, sam: Sam = SAMS[0], averaging: Any = AVERAGES[0]):
        self.model = network()
        self.optimizer = optim.build(self.model)
        driven = schedule.build(self.optimizer, 5, 2)
        self.schedule = averaging.wrap_schedule(driven, self.optimizer, 5, 2)
        self.stepper = stepper(sam, self.model, self.optimizer)
        self.average = averaging.build(self.model, 5, 2)
        self.epoch = 0

    def gradient(self) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(X), Y)
        loss.backward()
        return loss

    def epochs(self, num_epochs: int) -> list[float]:
        seen = []
        for _ in range(num_epochs):
            for _ in range(2):
                seen.append(float(self.stepper.step(self.gradient, lambda: None)))
                self.schedule.step()
                self.average.after_step()
            self.epoch += 1
            self.average.after_epoch(self.epoch)
            self.schedule.end_epoch(-seen[-1] if self.epoch % 2 else -100.0)
        return seen

    def state(self) -> bytes:
        buffer = io.BytesIO()
        torch.save([self.epoch, *(part.state_dict() for part in self._stateful())], buffer)
        return buffer.getvalue()

    def restore(self, state: bytes) -> None:
        self.epoch, *saved = torch.load(io.BytesIO(state), weights_only=True)
        for part, content in zip(self._stateful(), saved, strict=True):
            part.load_state_dict(content)

    def _stateful(self) -> tuple[Any, ...]:
        return self.model, self.optimizer, self.schedule, self.average


@EVERY_OPTIMISER
@EVERY_SAM
def test_it_reduces_the_loss(optim, sam):
    seen = Training(optim, SCHEDULES[0], sam).epochs(25)
    assert seen[-1] < 0.9 * seen[0]


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    mine, yours = one.state_dict(), other.state_dict()
    return all(torch.equal(mine[name], yours[name]) for name in mine.keys() | yours.keys())


AROUND = [(sam, AVERAGES[0]) for sam in SAMS] + [(SAMS[0], average) for average in AVERAGES[1:]]


@EVERY_OPTIMISER
@EVERY_SCHEDULE
@pytest.mark.parametrize(
    "around", AROUND, ids=["plain", "sam", "asam", *(average.name for average in AVERAGES[1:])]
)
def test_it_goes_on_from_a_saved_state_as_if_never_stopped(optim, schedule, around):
    whole = Training(optim, schedule, *around)
    expected = whole.epochs(5)
    for stop in (1, 3, 4):
        before, after = (Training(optim, schedule, *around) for _ in range(2))
        seen = before.epochs(stop)
        after.restore(before.state())
        assert seen + after.epochs(5 - stop) == expected
        assert same_weights(after.model, whole.model)
        assert same_weights(after.average.evaluated(), whole.average.evaluated())


@EVERY_AVERAGE
def test_an_average_is_never_trained_and_never_moves_what_is(averaging):
    plain = Training(OPTIMISERS[0], SCHEDULES[0])
    training = Training(OPTIMISERS[0], SCHEDULES[0], averaging=averaging)
    if averaging.name != "swa":  # which has a rate of its own
        assert plain.epochs(5) == training.epochs(5)
        assert same_weights(plain.model, training.model)
    training.epochs(5)
    is_live = training.average.evaluated() is training.model
    assert is_live == isinstance(averaging, NoAveraging)
    if not is_live:
        assert not any(p.requires_grad for p in training.average.evaluated().parameters())
        assert all(p.requires_grad for p in training.model.parameters())


@EVERY_OPTIMISER
def test_it_starts_at_the_configured_rate_and_moves_every_parameter(optim):
    training = Training(optim, SCHEDULES[0])
    assert {group["lr"] for group in training.optimizer.param_groups} == {optim.lr}
    before = copy.deepcopy(training.model)
    training.epochs(1)
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
@pytest.mark.parametrize("rule", owed.OF_OPTIMISERS, ids=lambda rule: rule.__name__)
def test_it_keeps_the_contract(optim, rule):
    rule(optim)


LENGTHS = list(itertools.product((1, 2, 3, 10, 50), (1, 2, 4, 7)))


@EVERY_SCHEDULE
@pytest.mark.parametrize(("num_epochs", "steps_an_epoch"), LENGTHS)
def test_rates_stay_between_zero_and_the_configured_one(schedule, num_epochs, steps_an_epoch):
    owed.rates_stay_between_zero_and_the_configured_one(schedule, num_epochs, steps_an_epoch)


@EVERY_SCHEDULE
def test_the_rate_is_reached_at_some_step_of_a_usual_training(schedule):
    assert max(owed.rates_of(schedule, 20, 10)) == pytest.approx(owed.LR)
