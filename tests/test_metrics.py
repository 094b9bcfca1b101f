"""Metrics: values by hand, what must not change them, and classes that the targets lack.

Legend: N clips, K classes.
"""

import itertools
import subprocess
import sys
from dataclasses import astuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from audiocls.training.metrics import (
    MULTI_LABEL,
    SINGLE_LABEL,
    ClassRow,
    confusion,
    per_class,
    scalars,
    validation,
)
from audiocls.training.ranking import area_under_roc, average_precision, calibration_error

DRAWS = torch.Generator().manual_seed(0)
LOGITS = torch.randn(60, 4, generator=DRAWS)
LABELS = torch.arange(60) % 4
MULTI_HOT = (torch.rand(60, 4, generator=DRAWS) > 0.7).float()
TASKS = pytest.mark.parametrize(
    ("targets", "is_multi_label"), [(LABELS, False), (MULTI_HOT, True)], ids=["single", "multi"]
)

DECIDED = torch.tensor([0, 0, 1, 1, 1, 2])
TRUE = torch.tensor([0, 1, 1, 1, 2, 2])
"""Class 0: 1 of 1 found, 1 of 2 right. Class 1: 2 of 3, 2 of 3. Class 2: 1 of 2, 1 of 1."""


def as_logits(classes: Tensor, num_classes: int = 3) -> Tensor:
    return 10.0 * F.one_hot(classes, num_classes)


def area_by_pairs(scores: Tensor, truth: Tensor) -> float:
    """The chance that a positive clip is ranked above a negative one, ties half."""
    pairs = itertools.product(scores[truth > 0.5].tolist(), scores[truth < 0.5].tolist())
    wins = [(high > low) + 0.5 * (high == low) for high, low in pairs]
    return sum(wins) / len(wins)


def average_precision_by_ranks(scores: Tensor, truth: Tensor) -> float:
    """The mean, over positive clips, of the precision among those ranked as high (no ties)."""
    order = scores.argsort(descending=True)
    hits = truth[order] > 0.5
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def test_single_label_metrics_by_hand():
    found = scalars(as_logits(DECIDED), TRUE)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["balanced_accuracy"] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3)


def test_confusion_has_the_truth_in_rows():
    assert confusion(as_logits(DECIDED), TRUE).tolist() == [[1, 0, 0], [1, 2, 0], [0, 1, 1]]
    assert int(confusion(LOGITS, LABELS).diagonal().sum()) == round(
        60 * scalars(LOGITS, LABELS)["accuracy"]
    )


def test_rows_of_classes_by_hand():
    rows = [astuple(row)[:5] for row in per_class(as_logits(DECIDED), TRUE)]
    assert rows[0] == pytest.approx((0, 1, 1.0, 1 / 2, 2 / 3))
    assert rows[1] == pytest.approx((1, 3, 2 / 3, 2 / 3, 2 / 3))
    assert rows[2] == pytest.approx((2, 2, 1 / 2, 1.0, 2 / 3))


def test_multi_label_decides_at_one_half():
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.5], [-3.0, 1.0], [-0.1, -2.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    first, second = per_class(logits, targets, is_multi_label=True)
    assert (first.recall, first.precision, first.f1) == (0.5, 0.5, 0.5)
    assert (second.recall, second.precision, second.f1) == (1.0, 1.0, 1.0)
    assert scalars(logits, targets, is_multi_label=True)["macro_f1"] == pytest.approx(0.75)


@TASKS
def test_ranking_metrics_are_what_their_definitions_say(targets, is_multi_label):
    found = scalars(LOGITS, targets, is_multi_label)
    scores = LOGITS.sigmoid() if is_multi_label else LOGITS.softmax(1)
    truth = targets if is_multi_label else F.one_hot(targets, 4)
    columns = list(zip(scores.T, truth.T, strict=True))
    areas = [area_by_pairs(*column) for column in columns]
    precisions = [average_precision_by_ranks(*column) for column in columns]
    assert found["auroc"] == pytest.approx(sum(areas) / 4, abs=1e-6)
    assert found["map"] == pytest.approx(sum(precisions) / 4, abs=1e-6)


@TASKS
def test_means_over_classes_are_the_means_of_their_rows(targets, is_multi_label):
    rows, found = (
        per_class(LOGITS, targets, is_multi_label),
        scalars(LOGITS, targets, is_multi_label),
    )
    assert [row.label for row in rows] == [0, 1, 2, 3]
    assert found["macro_f1"] == pytest.approx(sum(row.f1 for row in rows) / 4)
    assert found["map"] == pytest.approx(sum(row.average_precision for row in rows) / 4)
    if not is_multi_label:
        assert found["balanced_accuracy"] == pytest.approx(sum(row.recall for row in rows) / 4)


def test_calibration_error_by_hand():
    """Ten clips at a confidence of 0.9, seven of them right; ten at 0.6, six right."""
    confidences = torch.tensor([0.9] * 10 + [0.6] * 10).double()
    logits = torch.stack([confidences.log(), (1 - confidences).log()], 1)
    labels = torch.tensor([0] * 7 + [1] * 3 + [0] * 6 + [1] * 4)
    error = scalars(logits, labels)["calibration_error"]
    assert error == pytest.approx((10 * 0.2 + 10 * 0.0) / 20, abs=1e-6)


@TASKS
def test_the_order_of_the_clips_does_not_matter(targets, is_multi_label):
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    found = scalars(LOGITS[order], targets[order], is_multi_label)
    assert found == pytest.approx(scalars(LOGITS, targets, is_multi_label))


@TASKS
def test_the_order_of_the_classes_does_not_matter(targets, is_multi_label):
    order = torch.tensor([2, 0, 3, 1])
    renamed = targets[:, order] if is_multi_label else order.argsort()[targets]
    found = scalars(LOGITS[:, order], renamed, is_multi_label)
    assert found == pytest.approx(scalars(LOGITS, targets, is_multi_label))


@pytest.mark.parametrize("grow", [lambda x: 0.01 * x - 2, lambda x: x**3, torch.atan])
def test_rankings_do_not_change_when_every_logit_grows_alike(grow):
    found = scalars(grow(LOGITS), MULTI_HOT, is_multi_label=True)
    expected = scalars(LOGITS, MULTI_HOT, is_multi_label=True)
    for name in ("auroc", "map"):
        assert found[name] == pytest.approx(expected[name])


def test_adding_a_number_to_all_logits_of_a_clip_changes_nothing():
    shifted = LOGITS.double() + torch.arange(60)[:, None]
    assert scalars(shifted, LABELS) == pytest.approx(scalars(LOGITS.double(), LABELS))


@TASKS
@pytest.mark.parametrize("size", [1.0, 30.0, 1000.0])
def test_perfect_logits_have_perfect_metrics(targets, is_multi_label, size):
    truth = targets if is_multi_label else F.one_hot(targets, 4)
    found = scalars(size * (2.0 * truth - 1), targets, is_multi_label)
    error = found.pop("calibration_error", 0.0)
    assert set(found.values()) == {1.0}
    assert error == pytest.approx(0.0, abs=1e-6) or size < 30


def test_opposite_logits_have_the_opposite_area():
    for logits, targets in ((LOGITS, MULTI_HOT), (LOGITS[:, :2], F.one_hot(LABELS % 2))):
        areas = [scalars(sign * logits, targets, True)["auroc"] for sign in (1, -1)]
        assert sum(areas) == pytest.approx(1.0)


def test_a_model_that_says_the_same_of_every_clip_ranks_by_chance():
    found = scalars(torch.zeros(60, 4), LABELS)
    assert found["auroc"] == 0.5
    assert found["map"] == pytest.approx(0.25)
    assert found["balanced_accuracy"] == 0.25


def test_balanced_accuracy_does_not_heed_how_many_clips_a_class_has():
    few = torch.cat([as_logits(DECIDED), as_logits(DECIDED)[:1]])
    many = scalars(few, torch.cat([TRUE, TRUE[:1]]))
    assert many["balanced_accuracy"] == scalars(as_logits(DECIDED), TRUE)["balanced_accuracy"]
    assert many["accuracy"] > scalars(as_logits(DECIDED), TRUE)["accuracy"]


# Classes that the targets lack


@TASKS
def test_a_class_without_a_positive_clip_takes_no_part_in_any_mean(targets, is_multi_label):
    """Only the numbers of the classes that are there count, and nothing warns."""
    idle = torch.full((60, 1), -30.0)
    wider = torch.cat([LOGITS, idle], 1)
    wider_targets = torch.cat([targets, torch.zeros(60, 1)], 1) if is_multi_label else targets
    found = scalars(wider, wider_targets, is_multi_label)
    assert found == pytest.approx(scalars(LOGITS, targets, is_multi_label), abs=1e-6)
    row = per_class(wider, wider_targets, is_multi_label)[4]
    assert row == ClassRow(4, 0, None, None, None, None)


def test_a_clip_taken_for_a_class_that_is_not_there_costs_where_it_was_missed():
    logits = as_logits(torch.tensor([0, 2, 1, 1]))
    labels = torch.tensor([0, 0, 1, 1])
    assert scalars(logits, labels)["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert per_class(logits, labels)[2] == ClassRow(2, 0, None, 0.0, None, None)


@pytest.mark.parametrize("targets", [torch.zeros(6, 3), torch.ones(6, 3)], ids=["none", "all"])
def test_a_metric_without_a_class_is_left_out(targets):
    found = scalars(torch.randn(6, 3), targets, is_multi_label=True)
    assert "auroc" not in found
    assert ("map" in found) == bool(targets.any())
    assert validation(torch.randn(6, 3), targets, True, ("auroc",)) == {}


def test_one_class_alone_has_no_ranking_against_others():
    found = scalars(LOGITS, torch.zeros(60, dtype=torch.int64))
    assert found.keys() == SINGLE_LABEL.keys() - {"auroc"}
    assert found["map"] == 1.0


@pytest.mark.parametrize("num_clips", [1, 2])
def test_very_few_clips_are_no_fault(num_clips):
    assert scalars(LOGITS[:num_clips], LABELS[:num_clips])["accuracy"] in (0.0, 0.5, 1.0)
    assert scalars(LOGITS[:num_clips, :1], torch.ones(num_clips, 1), True)["map"] == 1.0


# Names, and the cheap way


def test_multi_label_has_no_accuracy_and_no_calibration():
    named = {"macro_f1", "map", "auroc", "d_prime"}
    assert scalars(LOGITS, MULTI_HOT, True).keys() == MULTI_LABEL.keys() == named
    assert scalars(LOGITS, LABELS).keys() == SINGLE_LABEL.keys()


@TASKS
def test_validation_has_the_metrics_asked_for_and_no_others(targets, is_multi_label):
    everything = scalars(LOGITS, targets, is_multi_label)
    for name in everything:
        assert validation(LOGITS, targets, is_multi_label, (name,)) == {name: everything[name]}
    assert validation(LOGITS, targets, is_multi_label, ()) == {}


def test_accuracy_is_the_share_of_right_clips_in_double_precision():
    is_right = LOGITS.argmax(1) == LABELS
    assert validation(LOGITS, LABELS) == {"accuracy": sum(is_right.tolist()) / 60}


def test_no_metric_waits_for_another_library():
    program = (
        "import sys, torch\n"
        "from audiocls.training.metrics import confusion, scalars\n"
        "logits, labels = torch.randn(20, 3), torch.arange(20) % 3\n"
        "scalars(logits, labels), confusion(logits, labels)\n"
        "assert not {'torchmetrics', 'torchvision', 'transformers'} & {*sys.modules}\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def draws(number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits, with many ties where `number` is even, labels, and multi-hot targets."""
    generator = torch.Generator().manual_seed(number)
    num_clips, num_classes = 2 + number * 37 % 500, 2 + number % 9
    logits = 3 * torch.randn(num_clips, num_classes, generator=generator)
    logits = logits.round() if number % 2 == 0 else logits
    labels = torch.randint(num_classes, (num_clips,), generator=generator)
    return logits, labels, (torch.rand(logits.shape, generator=generator) > 0.7).long()


@pytest.mark.slow  # torchmetrics imports torchvision and transformers
@pytest.mark.parametrize("number", range(40))
def test_metrics_are_torchmetrics_own_to_the_bit(number):
    from torchmetrics.functional import classification as theirs

    logits, labels, multi_hot = draws(number)
    num_classes = logits.shape[1]
    assert torch.equal(
        confusion(logits, labels),
        theirs.multiclass_confusion_matrix(logits.argmax(1), labels, num_classes),
    )
    probabilities = logits.double().softmax(1)
    error = theirs.multiclass_calibration_error(probabilities, labels, num_classes, 15)
    assert calibration_error(probabilities, labels, 15).equal(error)
    for scores, truth in zip(logits.double().sigmoid().T, multi_hot.T, strict=True):
        if truth.any():
            assert average_precision(scores, truth).equal(
                theirs.binary_average_precision(scores, truth)
            )
        if 0 < truth.sum() < len(truth):
            assert area_under_roc(scores, truth).equal(theirs.binary_auroc(scores, truth))
