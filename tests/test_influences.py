"""What recordings add to a metric: against the metrics of training, with recordings left out.

Legend: N clips, K classes, R recordings.
"""

import numpy as np
import pytest
import torch

from audiocls.analysis.influences import (
    JACKKNIFED,
    MEANS,
    Influences,
    Predictions,
    influences_of,
    prepared,
    score_range,
)
from audiocls.analysis.influences.metrics import SINGLE_LABEL, _bin_edges
from audiocls.config.training import Training
from audiocls.design.ablation import GOALS
from audiocls.stats import leave_one_out
from audiocls.training.losses import loss_of
from audiocls.training.metrics import validation

NUM_RECORDINGS, NUM_CLASSES = 12, 6


def drawn(is_multi_label, num_recordings=NUM_RECORDINGS, seed=0, sureness=1.0):
    """Recordings of 1 to 6 clips in any order, clips that tie, a class of one recording, none."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, num_recordings)
    sources = np.repeat([f"recording {i}" for i in range(num_recordings)], sizes)
    num = len(sources)
    labels = rng.integers(4, size=num)
    labels[sources == "recording 3"] = 4
    logits = rng.normal(size=(num, NUM_CLASSES)) + np.eye(NUM_CLASSES)[labels]
    if is_multi_label:
        labels = (np.eye(NUM_CLASSES)[labels] > 0) | (rng.random(logits.shape) < 0.2)
        labels[:, 5] = False
        labels = labels.astype(np.float32)
    copies = rng.permutation(num)[: num // 2]
    logits[copies] = logits[rng.permutation(num)[: num // 2]]
    order = rng.permutation(num)
    arrays = {"sources": sources, "labels": labels, "logits": sureness * logits.astype(np.float32)}
    return {name: values[order] for name, values in arrays.items()}


def recorded(metric, arrays, chosen=slice(None)):
    """A metric of some clips, as training writes it."""
    labels, logits = (torch.from_numpy(arrays[name][chosen]) for name in ("labels", "logits"))
    name = metric.removeprefix("test/")
    return validation(logits, labels, labels.ndim == 2, (name,))[name]


def without_each(metric, arrays):
    sources = arrays["sources"]
    return np.array([recorded(metric, arrays, sources != name) for name in np.unique(sources)])


ONE_LABEL = [(metric, False) for metric in JACKKNIFED]
SEVERAL_LABELS = [(metric, True) for metric in JACKKNIFED if metric not in SINGLE_LABEL]
TASKS = pytest.mark.parametrize(("metric", "is_multi_label"), ONE_LABEL + SEVERAL_LABELS)


def test_every_metric_with_a_usual_goal_has_influences():
    assert {*MEANS, *JACKKNIFED} == GOALS.keys()


@TASKS
@pytest.mark.parametrize("sureness", [0.3, 1.0, 30.0])
def test_of_all_clips_a_metric_is_the_recorded_one(metric, is_multi_label, sureness):
    """Also where probabilities round to 1, and so tie."""
    arrays = drawn(is_multi_label, 60, sureness=sureness)
    found = JACKKNIFED[metric](prepared(arrays))
    assert found[0] == pytest.approx(recorded(metric, arrays), abs=1e-6)


@TASKS
@pytest.mark.parametrize("seed", [0, 1])
def test_the_jackknife_leaves_out_one_recording_after_another(metric, is_multi_label, seed):
    arrays = drawn(is_multi_label, seed=seed)
    found = influences_of(metric, arrays)
    without = without_each(metric, arrays)
    assert found.recordings.tolist() == sorted({*arrays["sources"].tolist()})
    expected = (without.mean() - without) * (NUM_RECORDINGS - 1) / NUM_RECORDINGS
    assert np.allclose(found.values, expected, atol=1e-6)
    assert np.ptp(found.values) > 0.01


def test_influences_on_accuracy_are_those_of_clips():
    arrays = drawn(False)
    is_right = arrays["logits"].argmax(1) == arrays["labels"]
    found = influences_of("test/accuracy", arrays)
    for name, value in zip(found.recordings, found.values, strict=True):
        own = is_right[arrays["sources"] == name]
        assert value == pytest.approx((own - is_right.mean()).sum() / len(is_right))


LOSSES = [
    *((Training(loss=loss), False) for loss in ("cross_entropy", "bce", "focal")),
    (Training(loss="focal", focal_gamma=0.5), False),
    (Training(loss="bce"), True),
    (Training(loss="focal", focal_gamma=0.5), True),
]


@pytest.mark.parametrize(("training", "is_multi_label"), LOSSES)
def test_influences_on_the_loss_are_those_of_clips(training, is_multi_label):
    arrays = drawn(is_multi_label)
    logits, labels = torch.from_numpy(arrays["logits"]), torch.from_numpy(arrays["labels"])
    options = (training.loss, 0.0, training.focal_gamma, is_multi_label)
    losses = np.array(
        [float(loss_of(logits[[i]], labels[[i]], *options)) for i in range(len(labels))]
    )
    found = influences_of("test/loss", arrays, training)
    own = [losses[arrays["sources"] == name] - losses.mean() for name in found.recordings]
    assert np.allclose(found.values, [each.sum() / len(losses) for each in own], atol=1e-6)


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_influences_add_up_to_zero_and_know_no_order_of_clips(is_multi_label):
    arrays = drawn(is_multi_label)
    order = np.random.default_rng(1).permutation(len(arrays["sources"]))
    shuffled = {name: values[order] for name, values in arrays.items()}
    ready = prepared(arrays, Training(loss="bce"))
    for metric in GOALS.keys() - (set(SINGLE_LABEL) if is_multi_label else set()):
        found = influences_of(metric, ready)
        again = influences_of(metric, shuffled, Training(loss="bce"))
        assert found.values.sum() == pytest.approx(0, abs=1e-12)
        assert np.allclose(found.values, again.values, atol=1e-12)
        assert np.array_equal(found.recordings, again.recordings)


@TASKS
def test_classes_in_chunks_are_as_classes_at_once(metric, is_multi_label, monkeypatch):
    arrays = drawn(is_multi_label)
    at_once = influences_of(metric, arrays).values
    monkeypatch.setattr(leave_one_out, "MOST_AT_A_TIME", 1)
    assert np.allclose(influences_of(metric, arrays).values, at_once, atol=1e-12)


def test_with_one_clip_a_recording_squares_are_the_variance_of_a_mean():
    arrays = drawn(False, 30)
    arrays["sources"] = np.array([f"{i}" for i in range(len(arrays["labels"]))])
    is_right = arrays["logits"].argmax(1) == arrays["labels"]
    squares = (influences_of("test/accuracy", arrays).values ** 2).sum()
    num = len(is_right)
    assert num / (num - 1) * squares == pytest.approx(is_right.var(ddof=1) / num)


def clustered(rng, num_recordings=40, num_classes=3):
    """Recordings of 1 to 5 clips that a model gets right or wrong together."""
    labels = np.arange(num_recordings) % num_classes
    sizes = 1 + np.arange(num_recordings) % 5
    of_recording = rng.normal(size=(num_recordings, num_classes))
    ready = np.repeat(np.eye(num_classes)[labels] + of_recording, sizes, axis=0)
    return {
        "sources": np.repeat(np.arange(num_recordings).astype(str), sizes),
        "labels": np.repeat(labels, sizes),
        "logits": ready + 0.5 * rng.normal(size=ready.shape),
    }


@pytest.mark.parametrize("metric", ["test/accuracy", "test/macro_f1", "test/auroc"])
def test_squares_of_influences_are_the_variance_over_draws_of_recordings(metric):
    """Rather too large (Efron and Stein, 1981): 3000 draws gave 0.99, 1.03, 1.06 times it.

    Of 300 draws, a variance has an sd of 8 %.
    """
    rng = np.random.default_rng(0)
    values, squares = [], []
    for _ in range(300):
        ready = prepared(clustered(rng))
        scores = (MEANS | JACKKNIFED)[metric](ready)
        values.append(scores.mean() if metric in MEANS else scores[0])
        squares.append((influences_of(metric, ready).values ** 2).sum() * 40 / 39)
    assert 0.8 < np.mean(squares) / np.var(values, ddof=1) < 1.25


def test_several_metrics_share_one_reading():
    arrays = drawn(False)
    ready = prepared(arrays)
    assert isinstance(ready, Predictions)
    for metric in ("test/accuracy", "test/map"):
        found = influences_of(metric, ready)
        assert isinstance(found, Influences)
        assert np.array_equal(found.values, influences_of(metric, arrays).values)


def test_bins_of_confidence_have_the_edges_of_the_recorded_error():
    """But for one rounding, by which torch itself differs from one processor to another."""
    one_rounding = np.finfo(np.float32).eps / 2
    assert np.allclose(_bin_edges(), torch.linspace(0, 1, 16).numpy(), rtol=0, atol=one_rounding)


ARRAYS = drawn(False)
FAULTS = {
    "lack sources": {"sources": None},
    "lack labels and logits": {"labels": None, "logits": None},
    "NaN or infinity": {"logits": np.where(ARRAYS["logits"] > 2, np.inf, ARRAYS["logits"])},
    "not numbers": {"logits": ARRAYS["logits"].astype(str)},
    "clips × classes": {"logits": ARRAYS["logits"][:, 0]},
    "clips × classes are": {name: values[:0] for name, values in ARRAYS.items()},
    "the sources are of shape": {"sources": ARRAYS["sources"][1:]},
    "the labels are of shape": {"labels": ARRAYS["labels"][1:]},
    "hold other than 0 and 1": {"labels": np.full(ARRAYS["logits"].shape, 0.5)},
    "-1 to 3, but the logits of classes 0 to 5": {"labels": ARRAYS["labels"] % 5 - 1},
    "not class numbers": {"labels": ARRAYS["labels"].astype(float)},
    "one recording, a": {"sources": np.full(len(ARRAYS["labels"]), "a")},
}


@pytest.mark.parametrize("reason", FAULTS)
def test_arrays_that_cannot_be_used_give_a_reason(reason):
    arrays = {name: value for name, value in (ARRAYS | FAULTS[reason]).items() if value is not None}
    assert reason in influences_of("test/accuracy", arrays)


@pytest.mark.parametrize(
    ("metric", "is_multi_label", "training", "reason"),
    [
        ("test/f2", False, None, "test/f2 cannot be computed from predictions; what can: test/acc"),
        ("test/accuracy", True, None, "clips of several labels; what can: test/loss, test/macro"),
        ("test/loss", False, None, "needs the trial's options of the loss"),
        ("test/loss", True, Training(), "cross_entropy is no loss for clips of several labels"),
    ],
)
def test_metrics_without_influences_give_a_reason(metric, is_multi_label, training, reason):
    assert reason in influences_of(metric, drawn(is_multi_label), training)


@pytest.mark.parametrize("metric", ["test/macro_f1", "test/map", "test/auroc"])
def test_a_metric_without_a_class_gives_a_reason(metric):
    labels = np.zeros((3, 2))
    arrays = {"sources": np.array(["a", "b", "c"]), "labels": labels, "logits": labels}
    assert "no class has the clips" in influences_of(metric, arrays)
    labels[1, 0] = 1
    assert f"{metric} is undefined without recording b" in influences_of(metric, arrays)


def test_one_recordings_score_changes_a_share_by_1_at_most():
    assert {score_range(metric) for metric in GOALS if metric != "test/loss"} == {1.0}
    assert score_range("test/loss") == score_range("test/of_another_program") == 0.0
