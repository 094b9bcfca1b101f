"""Optimisers, SAM and schedules: algebra on losses whose gradients are known.

Legend: D parameters.
"""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from audiocls.optim import SGD, Adam, AdamW, Constant, Cosine, OneCycle, Plateau, Sam, Step
from audiocls.optim.asam import AdaptiveSharpnessAware
from audiocls.optim.batch_norm import frozen_batch_norm
from audiocls.optim.groups import decay_groups
from audiocls.optim.optimizers import StandardStep, stepper
from audiocls.optim.sam import SharpnessAware

EVERY_OPTIMISER = pytest.mark.parametrize(
    "options", [AdamW(lr=0.1), Adam(lr=0.1), SGD(lr=0.1)], ids=lambda o: o.name
)
EVERY_SAM = pytest.mark.parametrize("adaptive", [False, True], ids=["sam", "asam"])
START = torch.tensor([3.0, -4.0, 1.0])
CURVATURE = torch.tensor([1.0, 2.0, 5.0])


def nothing() -> None:
    """No clipping."""


class Quadratic(nn.Module):
    """½ Σ c w²: its gradient at w is c w. Float64, so that algebra holds to many digits."""

    def __init__(self, start: Tensor = START):
        super().__init__()
        self.weight = nn.Parameter(start.double().clone())
        self.seen: list[Tensor] = []

    def gradient(self, optimizer: Optimizer) -> Callable[[], Tensor]:
        def gradient() -> Tensor:
            optimizer.zero_grad(set_to_none=True)
            self.seen.append(self.weight.detach().clone())
            loss = 0.5 * (CURVATURE * self.weight**2).sum()
            loss.backward()
            return loss

        return gradient


def plain_sgd(model: nn.Module, lr: float = 1.0) -> Optimizer:
    """Its update is lr times the gradient, so the gradient can be read off."""
    return SGD(lr=lr, momentum=0.0).build(model)


def trained(options: AdamW | Adam | SGD, sam: Sam, num_steps: int = 5) -> Tensor:
    model = Quadratic()
    optimizer = options.build(model)
    step = stepper(sam, model, optimizer)
    for _ in range(num_steps):
        step.step(model.gradient(optimizer), nothing)
    return model.weight.detach()


@EVERY_OPTIMISER
@EVERY_SAM
def test_sam_with_a_vanishing_radius_is_its_base_optimiser(options, adaptive):
    vanishing = trained(options, Sam(rho=1e-9, adaptive=adaptive))
    torch.testing.assert_close(vanishing, trained(options, Sam()), rtol=1e-7, atol=1e-7)


@EVERY_OPTIMISER
@EVERY_SAM
def test_sam_with_a_radius_is_not(options, adaptive):
    sharp = trained(options, Sam(rho=0.5, adaptive=adaptive))
    assert not torch.allclose(sharp, trained(options, Sam()), rtol=1e-4)


@EVERY_OPTIMISER
def test_adaptive_sam_is_sam_where_all_weights_are_of_one_size(options):
    """T is then 1 for all: |±1| + 0; one step only, for it makes them unequal."""
    ends = []
    for sam in (Sam(rho=0.5), Sam(rho=0.5, adaptive=True, eta=0.0)):
        model = Quadratic(torch.tensor([1.0, -1.0, 1.0]))
        optimizer = options.build(model)
        stepper(sam, model, optimizer).step(model.gradient(optimizer), nothing)
        ends.append(model.weight.detach())
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize(("rho", "eta"), [(0.05, 0.0), (0.5, 0.01), (2.0, 1.0)])
def test_adaptive_sam_looks_at_the_worst_point_of_its_ellipsoid(rho, eta):
    """No point of ‖ε / T‖ ≤ ρ lies further along the gradient, and this one lies on its rim."""
    model = Quadratic()
    optimizer = plain_sgd(model)
    AdaptiveSharpnessAware(model, optimizer, rho, eta).step(model.gradient(optimizer), nothing)
    start, worst = model.seen
    size, gradient = start.abs() + eta, CURVATURE * start
    assert float(((worst - start) / size).norm()) == pytest.approx(rho)
    directions = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)).double()
    others = rho * size * directions / directions.norm(dim=1, keepdim=True)
    assert float((others @ gradient).max()) <= float((worst - start) @ gradient)
    torch.testing.assert_close(model.weight.detach(), start - CURVATURE * worst)


def loss_at_worst_point(sam: Sam, scale: float) -> float:
    """Of relu(x W₁) W₂ with W₁ times `scale` and W₂ divided by it: always the same function."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 1, bias=False))
    model.double()
    with torch.no_grad():
        model[0].weight.mul_(scale)
        model[2].weight.div_(scale)
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(1)).double()
    optimizer = plain_sgd(model)
    losses: list[float] = []

    def gradient() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = (model(x) - 1).square().mean()
        loss.backward()
        losses.append(loss.item())
        return loss

    stepper(sam, model, optimizer).step(gradient, nothing)
    return losses[1]


@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_adaptive_sam_sees_the_same_sharpness_however_the_layers_share_their_scale(scale):
    adaptive, plain = Sam(rho=0.2, adaptive=True, eta=0.0), Sam(rho=0.2)
    expected = loss_at_worst_point(adaptive, 1.0)
    assert loss_at_worst_point(adaptive, scale) == pytest.approx(expected, rel=1e-10)
    assert loss_at_worst_point(plain, scale) != pytest.approx(
        loss_at_worst_point(plain, 1.0), rel=1e-2
    )


def test_adaptive_sam_brings_the_weights_back_to_the_bit():
    model = Quadratic(torch.tensor([0.1, 1e-9, 1e9]))
    optimizer = plain_sgd(model, lr=0.1)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = model.weight.detach().clone()
    stepper(Sam(rho=1e3, adaptive=True), model, optimizer).step(model.gradient(optimizer), nothing)
    assert not torch.equal(model.seen[1], before)
    assert torch.equal(model.weight.detach(), before)


def test_adaptive_sam_brings_the_weights_back_when_the_second_pass_raises():
    model = Quadratic()
    optimizer = plain_sgd(model)
    first = model.gradient(optimizer)

    def gradient() -> Tensor:
        if model.seen:
            raise torch.OutOfMemoryError("no room for a second pass")
        return first()

    with pytest.raises(torch.OutOfMemoryError):
        stepper(Sam(rho=1.0, adaptive=True), model, optimizer).step(gradient, nothing)
    assert torch.equal(model.weight.detach(), START.double())


@pytest.mark.parametrize(
    ("options", "fault"),
    [({"adaptive": True}, "sam.rho"), ({"rho": 0.1, "eta": 0.1}, "sam.adaptive=true")],
)
def test_an_option_of_sam_without_effect_is_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        Sam(**options)


def test_a_radius_of_zero_costs_one_pass_and_sam_two():
    model = Quadratic()
    optimizer = plain_sgd(model)
    assert isinstance(stepper(Sam(), model, optimizer), StandardStep)
    for sam, num_passes in ((Sam(), 1), (Sam(rho=0.1), 2), (Sam(rho=0.1, adaptive=True), 2)):
        model.seen.clear()
        step = stepper(sam, model, optimizer)
        step.step(model.gradient(optimizer), nothing)
        assert step.num_passes == len(model.seen) == num_passes


@pytest.mark.parametrize("rho", [0.05, 0.5, 2.0])
def test_sam_steps_along_the_gradient_at_the_worst_point_nearby(rho):
    model = Quadratic()
    optimizer = plain_sgd(model)
    SharpnessAware(model, optimizer, rho).step(model.gradient(optimizer), nothing)
    start = START.double()
    first = CURVATURE * start
    worst = start + rho * first / first.norm()
    torch.testing.assert_close(model.seen[1], worst)
    torch.testing.assert_close(model.weight.detach(), start - CURVATURE * worst)


def test_the_radius_is_in_the_norm_of_all_weights_together():
    """Also across the optimiser's two groups (matrices and vectors)."""
    model = nn.Linear(3, 2).double()
    optimizer = plain_sgd(model)
    assert len(optimizer.param_groups) == 2
    x = torch.randn(5, 3, dtype=torch.float64)
    points: list[Tensor] = []

    def gradient() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        points.append(torch.cat([p.detach().flatten().clone() for p in model.parameters()]))
        loss = model(x).square().sum()
        loss.backward()
        return loss

    SharpnessAware(model, optimizer, 0.3).step(gradient, nothing)
    torch.testing.assert_close((points[1] - points[0]).norm().item(), 0.3)


@EVERY_SAM
def test_sam_returns_the_loss_where_the_weights_are_and_not_where_it_looked(adaptive):
    model = Quadratic()
    optimizer = plain_sgd(model)
    sharp = stepper(Sam(rho=1.0, adaptive=adaptive), model, optimizer)
    loss = sharp.step(model.gradient(optimizer), nothing)
    torch.testing.assert_close(loss, 0.5 * (CURVATURE * START**2).sum().double())


@EVERY_OPTIMISER
@EVERY_SAM
def test_a_gradient_of_zero_leaves_sam_where_it_is(options, adaptive):
    model = Quadratic(torch.zeros(3))
    optimizer = options.build(model)
    step = stepper(Sam(rho=0.05, adaptive=adaptive), model, optimizer)
    for _ in range(3):
        step.step(model.gradient(optimizer), nothing)
    assert torch.equal(model.weight.detach(), torch.zeros(3).double())


def test_sam_goes_on_as_usual_after_a_gradient_of_zero():
    model = Quadratic(torch.zeros(3))
    optimizer = plain_sgd(model, lr=0.1)
    step = SharpnessAware(model, optimizer, 0.5)
    step.step(model.gradient(optimizer), nothing)
    with torch.no_grad():
        model.weight.copy_(START)
    step.step(model.gradient(optimizer), nothing)
    first = CURVATURE * START.double()
    worst = START + 0.5 * first / first.norm()
    torch.testing.assert_close(model.weight.detach(), START - 0.1 * CURVATURE * worst)


@EVERY_SAM
def test_a_parameter_that_the_loss_ignores_stays_where_it_is(adaptive):
    model = Quadratic()
    model.idle = nn.Parameter(torch.ones(2).double())
    optimizer = plain_sgd(model)
    sharp = stepper(Sam(rho=0.1, adaptive=adaptive), model, optimizer)
    sharp.step(model.gradient(optimizer), nothing)
    assert torch.equal(model.idle.detach(), torch.ones(2).double())


@EVERY_SAM
def test_clipping_acts_on_the_second_gradient_only(adaptive):
    largest = 1.0
    model = Quadratic()
    optimizer = plain_sgd(model)
    clipped: list[Tensor] = []

    def clip() -> None:
        clipped.append(model.weight.grad.clone())
        nn.utils.clip_grad_norm_(model.parameters(), largest)

    sharp = stepper(Sam(rho=0.5, adaptive=adaptive), model, optimizer)
    sharp.step(model.gradient(optimizer), clip)
    start, worst = model.seen
    assert not torch.allclose(start, worst)
    second = CURVATURE * worst
    torch.testing.assert_close(clipped, [second])
    torch.testing.assert_close(start - model.weight.detach(), largest * second / second.norm())


def test_clipping_that_binds_nothing_changes_nothing():
    def after(clip: Callable[[nn.Module], None]) -> Tensor:
        model = Quadratic()
        optimizer = plain_sgd(model, lr=0.1)
        SharpnessAware(model, optimizer, 0.5).step(model.gradient(optimizer), lambda: clip(model))
        return model.weight.detach()

    loose = after(lambda model: nn.utils.clip_grad_norm_(model.parameters(), 1e6))
    assert torch.equal(loose, after(lambda model: None))


def normed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))


def one_step(model: nn.Module, sam: Sam) -> nn.BatchNorm1d:
    optimizer = plain_sgd(model, lr=0.01)
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))

    def gradient() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), torch.arange(16) % 3)
        loss.backward()
        return loss

    stepper(sam, model, optimizer).step(gradient, nothing)
    norm = model[1]
    assert isinstance(norm, nn.BatchNorm1d)
    return norm


@EVERY_SAM
@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_sees_each_batch_once_under_sam(momentum, adaptive):
    norms = []
    for sam in (Sam(), Sam(rho=0.5, adaptive=adaptive)):
        model = normed()
        model[1].momentum = momentum
        norms.append(one_step(model, sam))
    plain, sharp = norms
    assert sharp.num_batches_tracked == plain.num_batches_tracked == 1
    assert torch.equal(sharp.running_mean, plain.running_mean)
    assert torch.equal(sharp.running_var, plain.running_var)
    assert sharp.momentum == momentum


def test_frozen_batch_norm_still_normalises_by_the_batch():
    norm = nn.BatchNorm1d(2)
    x = torch.randn(8, 2)
    expected = norm(x)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with frozen_batch_norm(norm):
        assert torch.equal(norm(3 * x + 1), norm(3 * x + 1))
        assert torch.equal(norm(x), expected)
    assert before.keys() == norm.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def test_frozen_batch_norm_thaws_when_the_second_pass_raises():
    norm = nn.BatchNorm1d(2)
    with pytest.raises(ZeroDivisionError), frozen_batch_norm(norm):
        1 / 0  # noqa: B018
    assert norm.momentum == 0.1
    assert norm.num_batches_tracked == 0


@EVERY_OPTIMISER
def test_only_parameters_of_more_than_one_dimension_decay(options):
    """With a gradient of zero an update is the decay alone."""
    decaying = options.model_copy(update={"weight_decay": 0.1})
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.GroupNorm(1, 3), nn.Linear(3, 2))
    for parameter in model.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    decaying.build(model).step()
    for parameter in model.parameters():
        assert bool((parameter < 1).all()) == (parameter.ndim > 1)
        assert bool((parameter == 1).all()) == (parameter.ndim <= 1)


def test_every_trainable_parameter_is_in_exactly_one_group():
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    model[0].bias.requires_grad_(False)
    grouped = [p for group in decay_groups(model, 0.1) for p in group["params"]]
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert sorted(map(id, grouped)) == sorted(map(id, trainable))


def test_adamw_decays_by_lr_times_weight_decay_whatever_the_gradient():
    model = nn.Linear(2, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    model.weight.grad = torch.zeros(1, 2)
    AdamW(lr=0.1, weight_decay=0.5).build(model).step()
    torch.testing.assert_close(model.weight.data, torch.full((1, 2), 2.0 * (1 - 0.1 * 0.5)))


def test_weight_norms_magnitudes_are_not_decayed():
    model = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3))
    decayed, others = decay_groups(model, 0.1)
    assert [tuple(p.shape) for p in decayed["params"]] == [(8, 4, 3)]
    assert sorted(tuple(p.shape) for p in others["params"]) == [(8,), (8, 1, 1)]


def rates(schedule, num_epochs: int, steps_an_epoch: int, lr: float = 0.1) -> list[float]:
    """The rate of every step, and the one that is left at the end."""
    optimizer = plain_sgd(nn.Linear(2, 2), lr)
    driven = schedule.build(optimizer, num_epochs, steps_an_epoch)
    seen = []
    for _ in range(num_epochs * steps_an_epoch):
        assert len({group["lr"] for group in optimizer.param_groups}) == 1
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        driven.step()
    return [*seen, optimizer.param_groups[0]["lr"]]


def test_constant_stays():
    assert set(rates(Constant(), 3, 4)) == {0.1}


def test_warm_up_is_linear_and_then_half_a_cosine_ends_at_zero():
    seen = rates(Cosine(warmup_epochs=2), num_epochs=10, steps_an_epoch=5)
    assert seen[:10] == pytest.approx([0.1 * (step + 1) / 10 for step in range(10)])
    cosine = [0.05 * (1 + math.cos(math.pi * step / 40)) for step in range(41)]
    assert seen[10:] == pytest.approx(cosine)
    assert seen[30] == pytest.approx(0.05)
    assert seen[-1] == pytest.approx(0.0, abs=1e-12)


def test_cosine_without_warm_up_starts_at_the_full_rate():
    assert rates(Cosine(warmup_epochs=0), 2, 5)[0] == 0.1


def test_part_of_an_epoch_is_a_legal_warm_up():
    seen = rates(Cosine(warmup_epochs=0.5), 4, 4)
    assert seen[:3] == pytest.approx([0.05, 0.1, 0.1])


@pytest.mark.parametrize("pct_start", [0.1, 0.3, 0.5])
def test_one_cycle_peaks_at_the_configured_rate_and_ends_near_zero(pct_start):
    seen = rates(OneCycle(pct_start=pct_start), num_epochs=10, steps_an_epoch=10)[:-1]
    assert max(seen) == pytest.approx(0.1)
    assert seen.index(max(seen)) == 100 * pct_start - 1
    assert seen[-1] < 1e-5
    peak = seen.index(max(seen))
    assert seen[: peak + 1] == sorted(seen[: peak + 1])
    assert seen[peak:] == sorted(seen[peak:], reverse=True)


@pytest.mark.parametrize(("pct_start", "num_steps"), [(0.5, 2), (0.25, 4), (0.1, 10), (0.2, 5)])
def test_one_cycle_whose_rise_is_a_single_step_starts_at_its_peak(pct_start, num_steps):
    seen = rates(OneCycle(pct_start=pct_start), 1, num_steps)[:-1]
    assert seen[0] == pytest.approx(0.1)
    assert seen == sorted(seen, reverse=True)


def test_one_cycle_leaves_momentum_alone():
    optimizer = SGD(momentum=0.7).build(nn.Linear(2, 2))
    schedule = OneCycle().build(optimizer, 2, 5)
    for _ in range(10):
        assert {group["momentum"] for group in optimizer.param_groups} == {0.7}
        optimizer.step()
        schedule.step()


def test_step_decays_every_so_many_epochs():
    seen = rates(Step(every_epochs=2, gamma=0.5), num_epochs=6, steps_an_epoch=3)
    assert seen[:18] == pytest.approx([0.1] * 6 + [0.05] * 6 + [0.025] * 6)


def plateau(scores: list[float], **options: float) -> list[float]:
    """The rate after each epoch, from 1."""
    schedule = Plateau(**options).build(plain_sgd(nn.Linear(2, 2)), len(scores), 4)
    seen = []
    for score in scores:
        schedule.end_epoch(score)
        seen.append(schedule.lr)
    return seen


def test_plateau_lowers_the_rate_once_patience_is_exceeded_and_counts_anew():
    assert plateau([0.5] * 8, patience=2) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert plateau([0.5] * 4, patience=0, factor=0.1) == pytest.approx([1, 0.1, 0.01, 0.001])


@pytest.mark.parametrize("offset", [0.0, -10.0], ids=["accuracy", "loss with its sign turned"])
def test_plateau_lets_any_gain_count_and_no_loss(offset):
    rising = [offset + 1e-6 * epoch for epoch in range(12)]
    assert plateau(rising, patience=1) == [1.0] * 12
    assert plateau(rising[::-1], patience=1)[:4] == [1, 1, 0.5, 0.5]


def test_a_score_that_is_no_number_is_no_gain():
    assert plateau([0.5, math.nan, math.nan], patience=1) == [1, 1, 0.5]


def test_plateau_stays_where_it_is_within_an_epoch():
    assert set(rates(Plateau(), 3, 4)) == {0.1}


@pytest.mark.parametrize("schedule", [Constant(), Cosine(), OneCycle(), Step()])
def test_schedules_in_steps_do_not_heed_scores(schedule):
    optimizer = plain_sgd(nn.Linear(2, 2))
    driven = schedule.build(optimizer, 4, 3)
    before, of_groups = driven.lr, [group["lr"] for group in optimizer.param_groups]
    for _ in range(50):
        driven.end_epoch(0.0)
    assert driven.lr == before == optimizer.param_groups[0]["lr"]
    assert of_groups == [group["lr"] for group in optimizer.param_groups]


@EVERY_OPTIMISER
def test_schedules_drive_the_inner_optimiser_under_sam(options):
    """A rate of zero is an update of zero."""
    model = Quadratic()
    optimizer = options.build(model)
    schedule = Step(every_epochs=1, gamma=0.5).build(optimizer, 3, 1)
    step = SharpnessAware(model, optimizer, 0.1)
    step.step(model.gradient(optimizer), nothing)
    schedule.step()
    assert {group["lr"] for group in optimizer.param_groups} == {0.05}
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = model.weight.detach().clone()
    step.step(model.gradient(optimizer), nothing)
    torch.testing.assert_close(model.weight.detach(), before, rtol=1e-14, atol=1e-14)


def test_sgd_under_sam_moves_by_the_scheduled_rate():
    moves = []
    for lr in (0.1, 0.05):
        model = Quadratic()
        optimizer = plain_sgd(model, lr)
        SharpnessAware(model, optimizer, 0.1).step(model.gradient(optimizer), nothing)
        moves.append(START - model.weight.detach())
    torch.testing.assert_close(moves[0], 2 * moves[1])


def test_nesterov_without_momentum_has_no_effect_and_is_refused():
    with pytest.raises(ValueError, match=r"nesterov.*momentum"):
        SGD(momentum=0.0, nesterov=True)
