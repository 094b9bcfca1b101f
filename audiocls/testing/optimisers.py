"""What every optimiser and every schedule owes.

Legend: B batch.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.optim import OwnOptim, OwnSchedule
from audiocls.testing.part import part_of

LR = 0.1


def optimizer_contract(optim: Any, **options: Any) -> None:
    """Raise `AssertionError` if an optimiser breaks a rule; options as in `model_contract`."""
    part = part_of(OwnOptim, optim, options)
    for rule in OF_OPTIMISERS:
        rule(part)


def schedule_contract(schedule: Any, **options: Any) -> None:
    """Raise `AssertionError` if rates leave 0 … `optim.lr`; options as in `model_contract`."""
    part = part_of(OwnSchedule, schedule, options)
    for num_epochs, epoch_steps in ((1, 1), (2, 7), (20, 10)):
        rates_stay_between_zero_and_the_configured_one(part, num_epochs, epoch_steps)


def network() -> nn.Module:
    """Return a small network, always the same."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def clips() -> tuple[Tensor, Tensor]:
    """Return features and classes that can be learned. Shape: → (B, 6), (B,)"""
    x = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


def it_reduces_the_loss(optim: Any) -> None:
    """In fifty steps."""
    model, (x, y) = network(), clips()
    optimizer, seen = optim.build(model), []
    for _ in range(50):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), y)
        torch.autograd.backward(loss)
        optimizer.step()
        seen.append(loss.item())
    assert seen[-1] < 0.95 * seen[0]


def it_starts_at_the_configured_rate(optim: Any) -> None:
    """In every group."""
    assert {group["lr"] for group in optim.build(network()).param_groups} == {optim.lr}


def what_is_frozen_stays(optim: Any) -> None:
    """Parameters that need no gradient are not the optimiser's."""
    model, (x, y) = network(), clips()
    frozen = model.get_parameter("0.weight").requires_grad_(False)
    before, optimizer = frozen.clone(), optim.build(model)
    torch.autograd.backward(F.cross_entropy(model(x), y))
    optimizer.step()
    assert torch.equal(frozen, before)


def a_state_restores_it(optim: Any) -> None:
    """A restored optimiser makes the very next step of the first."""
    model, (x, y) = network(), clips()
    optimizer = optim.build(model)
    for step in range(3):
        if step == 2:
            other = copy.deepcopy(model)
            restored = optim.build(other)
            restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
            _step(other, restored, x, y)
        _step(model, optimizer, x, y)
    same = zip(model.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in same)


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    """Make one step. Shape: x (B, 6), y (B,)"""
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(F.cross_entropy(model(x), y))
    optimizer.step()


def rates_of(schedule: Any, num_epochs: int, epoch_steps: int) -> list[float]:
    """Return the rate of each step of a training, of an optimiser at 0.1."""
    optimizer = torch.optim.SGD(network().parameters(), lr=LR)
    driven = schedule.build(optimizer, num_epochs, epoch_steps)
    seen = []
    for _ in range(num_epochs * epoch_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        driven.step()
    return seen


def rates_stay_between_zero_and_the_configured_one(
    schedule: Any, num_epochs: int, epoch_steps: int
) -> None:
    """And are not all 0."""
    seen = rates_of(schedule, num_epochs, epoch_steps)
    assert min(seen) >= 0.0
    assert max(seen) <= LR + 1e-12
    assert max(seen) > 0.0


OF_OPTIMISERS: tuple[Callable[[Any], None], ...] = (
    it_reduces_the_loss,
    it_starts_at_the_configured_rate,
    what_is_frozen_stays,
    a_state_restores_it,
)
