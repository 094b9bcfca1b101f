"""What a step does on a CPU without torch's own wrappers is what these do, to the bit."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from audiocls.optim import Adam, AdamW, Sam
from audiocls.optim.kernel_step import KernelStep, has_kernel
from audiocls.optim.loss_scale import NoScaling
from audiocls.optim.optimizers import StandardStep, stepper
from audiocls.optim.scaled_rate import ScaledRate
from audiocls.training.fit import Signal, fit
from audiocls.training.state import TrainingState

MakeParts = Callable[..., TrainingState]

OPTIMISERS = [AdamW(lr=0.1), Adam(lr=0.1, weight_decay=0.2), AdamW(lr=0.1, decays="all")]


class Net(nn.Module):
    """Two layers, of which the second has no gradient in some steps."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(5, 3), nn.Linear(5, 3)

    def closure(self, inputs: Tensor, is_whole: bool) -> Callable[[], Tensor]:
        def loss() -> Tensor:
            for parameter in self.parameters():
                parameter.grad = None
            outputs = self.first(inputs) + (self.second(inputs) if is_whole else 0.0)
            value = outputs.square().mean()
            value.backward()
            return value

        return loss


@pytest.mark.parametrize("options", OPTIMISERS, ids=["adamw", "adam", "all decay"])
def test_calls_of_the_kernel_are_the_steps_of_torch_to_the_bit(options):
    def trained(kind: type[KernelStep] | type[StandardStep]) -> tuple[dict, dict]:
        net = Net()
        optimizer = options.build(net)
        step = kind(optimizer)
        for number in range(12):
            inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(number))
            step.step(net.closure(inputs, is_whole=number % 5 != 4), lambda: None)
            if number == 7:
                optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
            for group in optimizer.param_groups:
                group["lr"] *= 0.9
                group["betas"] = (group["betas"][0] - 0.01, group["betas"][1])
        return net.state_dict(), optimizer.state_dict()["state"]

    weights, moments = trained(KernelStep)
    expected, expected_moments = trained(StandardStep)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    for index, held in expected_moments.items():
        assert all(torch.equal(moments[index][name], held[name]) for name in held)


def test_of_torchs_own_steps_a_trial_on_the_cpu_makes_the_first_alone(tiny_parts: MakeParts):
    parts = tiny_parts({"optim.name": "adamw", "train.epochs": 2})
    steps: list[int] = []
    parts.optimizer.register_step_post_hook(lambda *_: steps.append(1))
    progress = fit(parts, lambda _: Signal.CONTINUE)
    assert len(steps) == 1
    assert progress.steps > 2


@pytest.mark.parametrize("change", ["amsgrad", "float64", "sgd", "not fused"])
def test_what_the_kernel_was_not_written_for_is_left_to_torch(change):
    net = Net().double() if change == "float64" else Net()
    options = {"amsgrad": change == "amsgrad", "fused": change != "not fused"}
    optimizer = (
        torch.optim.SGD(net.parameters())
        if change == "sgd"
        else torch.optim.Adam(net.parameters(), **options)
    )
    assert not has_kernel(optimizer)
    assert isinstance(stepper(Sam(), net, optimizer), StandardStep)


def test_a_rate_is_that_of_torch_to_the_bit_and_goes_on_from_its_state():
    def factor(step: int) -> float:
        return 0.5 * (1 + math.cos(step / 7))

    def optimizer() -> torch.optim.Optimizer:
        groups = [{"params": [nn.Parameter(torch.ones(1))], "lr": lr} for lr in (0.1, 0.03)]
        return torch.optim.SGD(groups)

    def seen(schedule: LambdaLR | ScaledRate, of: torch.optim.Optimizer) -> list[list[float]]:
        rates = []
        for _ in range(5):
            of.step()
            schedule.step()
            rates.append([group["lr"] for group in of.param_groups])
        return rates

    theirs, ours, resumed = optimizer(), optimizer(), optimizer()
    scheduler, rate, later = LambdaLR(theirs, factor), ScaledRate(ours, factor), None
    assert seen(rate, ours) == seen(scheduler, theirs)
    later = ScaledRate(resumed, factor)
    later.load_state_dict(scheduler.state_dict())
    assert seen(later, resumed) == seen(rate, ours) == seen(scheduler, theirs)


def test_gradients_are_those_of_torch_and_a_loss_of_each_clip_is_refused():
    weight = torch.ones(3, requires_grad=True)
    NoScaling().backward((weight * weight).sum() * 2)
    assert torch.equal(weight.grad, torch.full((3,), 4.0))
    with pytest.raises(RuntimeError, match="scalar outputs"):
        NoScaling().backward(weight * 2)


def test_validation_clips_are_read_once(tiny_parts: MakeParts):
    state = tiny_parts()
    reads: list[int] = []

    class Counted(type(state.dataset)):
        def unaugmented(self, clips):
            reads.append(len(clips))
            return super().unaugmented(clips)

    counted = Counted(**vars(state.dataset))
    values = [
        state.objective.validate(state.classifier, counted, state.split.val) for _ in range(3)
    ]
    assert sum(reads) == len(state.split.val)
    assert values[0] == values[1] == values[2]
    state.objective.validate(state.classifier, counted, state.split.test)
    assert sum(reads) == len(state.split.val) + len(state.split.test)
