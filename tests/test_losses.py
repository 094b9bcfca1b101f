"""Losses: their values by hand, and what each becomes where it meets another.

Legend: B batch, K classes, Q codebooks, V entries of a codebook, L frames.
"""

import math

import pytest
import torch
import torch.nn.functional as F

from audiocls.training.losses import (
    code_accuracy,
    code_loss,
    distillation,
    loss_of,
    smoothed,
)

DRAWS = torch.Generator().manual_seed(0)
LOGITS = torch.randn(16, 5, generator=DRAWS)
LABELS = torch.randint(0, 5, (16,), generator=DRAWS)
ONE_HOT = F.one_hot(LABELS, 5).float()
MULTI_HOT = (torch.rand(16, 5, generator=DRAWS) > 0.6).float()
CODE_LOGITS = torch.randn(3, 2, 7, 4, generator=DRAWS)
CODES = torch.randint(0, 7, (3, 2, 4), generator=DRAWS)
KINDS = pytest.mark.parametrize("kind", ["cross_entropy", "bce", "focal"])
SMOOTHINGS = pytest.mark.parametrize("smoothing", [0.0, 0.1])


@SMOOTHINGS
def test_cross_entropy_of_labels_is_torchs_to_the_bit(smoothing):
    expected = F.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    assert torch.equal(loss_of(LOGITS, LABELS, "cross_entropy", smoothing), expected)


@KINDS
@SMOOTHINGS
def test_a_label_and_its_one_hot_row_are_the_same_target(kind, smoothing):
    by_label = loss_of(LOGITS, LABELS, kind, smoothing)
    torch.testing.assert_close(loss_of(LOGITS, ONE_HOT, kind, smoothing), by_label)


@pytest.mark.parametrize("kind", ["cross_entropy", "focal"])
def test_the_loss_of_a_mixed_target_is_the_mix_of_the_losses(kind):
    mixed = 0.3 * ONE_HOT + 0.7 * ONE_HOT.roll(1, 0)
    one, other = (loss_of(LOGITS, target, kind) for target in (ONE_HOT, ONE_HOT.roll(1, 0)))
    torch.testing.assert_close(loss_of(LOGITS, mixed, kind), 0.3 * one + 0.7 * other)


def test_bce_is_summed_over_classes_and_averaged_over_clips():
    p = LOGITS.sigmoid()
    by_hand = -(MULTI_HOT * p.log() + (1 - MULTI_HOT) * (1 - p).log())
    torch.testing.assert_close(loss_of(LOGITS, MULTI_HOT, "bce"), by_hand.sum() / len(LOGITS))


def test_bce_under_smoothing_is_least_at_the_smoothed_target():
    targets = smoothed(MULTI_HOT, 0.1)
    best = targets.logit().requires_grad_()
    loss_of(best, MULTI_HOT, "bce", 0.1).backward()
    assert float(best.grad.abs().max()) < 1e-6
    assert float(targets.min()) == pytest.approx(0.1 / 5)


def test_smoothing_keeps_the_sum_of_a_row_that_sums_to_one():
    torch.testing.assert_close(smoothed(ONE_HOT, 0.3).sum(1), torch.ones(16))


def test_a_union_of_two_labels_has_no_second_best_under_bce():
    """The least loss is where both are certain: 0, which no cross-entropy of halves reaches."""
    union = torch.tensor([[1.0, 1.0, 0.0]])
    certain = torch.tensor([[50.0, 50.0, -50.0]])
    assert float(loss_of(certain, union, "bce")) == pytest.approx(0.0, abs=1e-20)
    assert float(loss_of(certain, union / 2, "cross_entropy")) == pytest.approx(math.log(2))


@SMOOTHINGS
def test_focal_with_a_gamma_of_zero_is_the_loss_that_it_focuses(smoothing):
    softmax = loss_of(LOGITS, LABELS, "focal", smoothing, focal_gamma=0.0)
    torch.testing.assert_close(softmax, loss_of(LOGITS, LABELS, "cross_entropy", smoothing))
    sigmoid = loss_of(LOGITS, MULTI_HOT, "focal", smoothing, focal_gamma=0.0, is_multi_label=True)
    torch.testing.assert_close(sigmoid, loss_of(LOGITS, MULTI_HOT, "bce", smoothing))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_weighs_a_clip_by_the_power_of_what_its_class_lacks(gamma):
    p = torch.tensor([0.9, 0.5, 0.1])
    logits = torch.stack([p.log(), (1 - p).log()], 1)
    expected = (-((1 - p) ** gamma) * p.log()).mean()
    labels = torch.zeros(3, dtype=torch.int64)
    torch.testing.assert_close(loss_of(logits, labels, "focal", focal_gamma=gamma), expected)


def test_focal_of_two_classes_is_that_of_one_decision():
    logits = LOGITS[:, :1]
    pair = torch.cat([logits, torch.zeros_like(logits)], 1)
    sigmoid = loss_of(logits, torch.ones_like(logits), "focal", is_multi_label=True)
    labels = torch.zeros(16, dtype=torch.int64)
    torch.testing.assert_close(loss_of(pair, labels, "focal"), sigmoid)


@KINDS
@SMOOTHINGS
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("is_multi_label", [False, True])
def test_certainty_right_or_wrong_has_a_finite_loss_and_gradient(
    kind, smoothing, gamma, is_multi_label
):
    logits = torch.tensor([[500.0, -500.0], [-500.0, 500.0], [0.0, 0.0]], requires_grad=True)
    labels = torch.zeros(3, dtype=torch.int64)
    loss = loss_of(logits, labels, kind, smoothing, gamma, is_multi_label)
    loss.backward()
    assert math.isfinite(loss.item())
    assert bool(logits.grad.isfinite().all())


@KINDS
@pytest.mark.parametrize("is_multi_label", [False, True])
def test_gradients_are_those_of_finite_differences(kind, is_multi_label):
    logits = LOGITS[:4].double().requires_grad_()
    targets = MULTI_HOT[:4].double()
    assert torch.autograd.gradcheck(
        lambda x: loss_of(x, targets, kind, 0.1, 1.5, is_multi_label), logits
    )


@KINDS
def test_the_order_of_the_clips_does_not_matter(kind):
    order = torch.randperm(16, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        loss_of(LOGITS[order], MULTI_HOT[order], kind), loss_of(LOGITS, MULTI_HOT, kind)
    )


# Distillation

TEACHER = LOGITS.roll(1, 0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_distillation_is_the_divergence_by_hand(temperature):
    p, q = ((logits / temperature).softmax(1) for logits in (TEACHER, LOGITS))
    by_hand = temperature**2 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(distillation(LOGITS, TEACHER, temperature), by_hand)


def test_a_student_that_says_what_its_teacher_says_has_nothing_to_learn():
    assert float(distillation(TEACHER + 3.0, TEACHER, 2.0)) == pytest.approx(0.0, abs=1e-6)
    assert float(distillation(LOGITS, TEACHER, 2.0)) > 0


def test_a_hot_distillation_pulls_logits_together():
    """Hinton et al., section 2.1: for great T the gradient is (z - v) / K of centred logits."""
    student = (LOGITS - LOGITS.mean(1, keepdim=True)).double().requires_grad_()
    teacher = (TEACHER - TEACHER.mean(1, keepdim=True)).double()
    distillation(student, teacher, 1e4).backward()
    expected = (student.detach() - teacher) / 5 / len(LOGITS)
    torch.testing.assert_close(student.grad, expected, rtol=1e-3, atol=1e-6)


def test_no_gradient_reaches_the_teacher():
    student, teacher = LOGITS.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    distillation(student, teacher, 2.0).backward()
    assert teacher.grad is None
    assert student.grad is not None


# Codes


@SMOOTHINGS
def test_the_code_loss_is_the_sum_of_each_codebooks_own(smoothing):
    each = [
        F.cross_entropy(CODE_LOGITS[:, q], CODES[:, q], label_smoothing=smoothing) for q in (0, 1)
    ]
    torch.testing.assert_close(code_loss(CODE_LOGITS, CODES, smoothing), sum(each))


def test_a_guess_that_knows_nothing_loses_the_logarithm_of_the_number_of_codes_a_codebook():
    loss = code_loss(torch.zeros(2, 3, 7, 4), torch.zeros(2, 3, 4, dtype=torch.int64))
    assert float(loss / 3) == pytest.approx(math.log(7))


def test_certain_and_right_is_a_loss_of_nothing_and_an_accuracy_of_one():
    logits = 100 * F.one_hot(CODES, 7).movedim(3, 2).float()
    assert float(code_loss(logits, CODES)) == pytest.approx(0.0, abs=1e-6)
    assert float(code_accuracy(logits, CODES)) == 1.0
    assert float(code_accuracy(-logits, CODES)) == 0.0


def test_code_accuracy_counts_every_code_alike():
    right = (CODE_LOGITS.argmax(2) == CODES).flatten().tolist()
    assert float(code_accuracy(CODE_LOGITS, CODES)) == pytest.approx(sum(right) / 24)
