"""Metrics of the test clips by name, and the influence of recordings on each.

Legend: N clips, K classes, R recordings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.influences.predictions import Array, Predictions, Texts, prepared
from audiocls.config.training import Training
from audiocls.stats import leave_one_out
from audiocls.stats.influence import by_jackknife, of_mean

SCALES, ROUNDING = (1.0, 100.0), 6e-5
"""Of metrics that programs report: shares and percent."""
NUM_BINS = 15
"""Of confidence, in the calibration error."""


@dataclass(frozen=True, eq=False)
class Influences:
    """What each recording adds to a trial's metric, around 0, in units of the metric."""

    recordings: Texts
    """Names in ascending order, (R,)."""
    values: Array
    """They add up to 0, (R,)."""

    def times(self, scale: float) -> "Influences":
        """Return those on a metric that is as many times as large."""
        return self if scale == 1 else replace(self, values=self.values * scale)


def influences_of(
    metric: str,
    predictions: Mapping[str, NDArray[Any]] | Predictions,
    training: Training | None = None,
) -> Influences | str:
    """Return the influences of recordings on `metric`, such as `test/accuracy`, or why not.

    `predictions` are the arrays of a trial's `predictions.npz`, or what `prepared` made of them;
    `training` the trial's options of the loss, which only `test/loss` needs.
    """
    if not isinstance(predictions, Predictions):
        ready = prepared(predictions, training)
        return ready if isinstance(ready, str) else influences_of(metric, ready)
    if reason := _why_not(metric, predictions):
        return reason
    if metric in MEANS:
        values = of_mean(MEANS[metric](predictions), predictions.numbers)
        return Influences(predictions.recordings, values)
    is_own = metric in predictions.own
    values = predictions.own[metric] if is_own else JACKKNIFED[metric](predictions)
    of_all, without_one = np.split(values, [1])
    if np.isnan(of_all).any():
        return f"{metric} is undefined: no class has the clips that it needs"
    if np.isnan(without_one).any():
        first = predictions.recordings[np.isnan(without_one).argmax()]
        return f"{metric} is undefined without recording {first}: no class has the clips it needs"
    return Influences(predictions.recordings, by_jackknife(without_one))


def computed_as(value: float, predictions: Predictions) -> list[tuple[str, float]]:
    """Return which metrics of these predictions have that value, each with the scale it is on.

    So is told what a program calls `val_acc`; the scale is 100 for percent. Values are taken to be
    rounded to four digits, as programs write them.
    """
    matches = []
    for name in (*MEANS, *JACKKNIFED):
        if _why_not(name, predictions) is None:
            known = _value_of(name, predictions)
            matches += [(name, scale) for scale in SCALES if abs(value / scale - known) <= ROUNDING]
    return matches


def _value_of(metric: str, predictions: Predictions) -> float:
    if metric in MEANS:
        return float(MEANS[metric](predictions).mean())
    return float(JACKKNIFED[metric](predictions)[0])


def score_range(metric: str) -> float:
    """Return by how much one recording's score may change at most: 1 for metrics in 0 … 1.

    It is 0 where that is unknown: a loss has no bound, and other programs' metrics no known one.
    """
    return 1.0 if metric in {*MEANS, *JACKKNIFED} - {"test/loss"} else 0.0


def _why_not(metric: str, predictions: Predictions) -> str | None:
    """Return why a metric cannot be computed of these predictions, if so."""
    known = [*MEANS, *JACKKNIFED, *predictions.own]
    if predictions.is_multi_label:
        known = [name for name in known if name not in SINGLE_LABEL]
    if metric not in known:
        kind = "clips of several labels" if predictions.is_multi_label else "predictions"
        return f"{metric} cannot be computed from {kind}; what can: {', '.join(known)}"
    if metric != "test/loss":
        return None
    if predictions.training is None:
        return "test/loss needs the trial's options of the loss"
    if predictions.is_multi_label and predictions.training.loss == "cross_entropy":
        return "cross_entropy is no loss for clips of several labels"
    if not isinstance(predictions.training.loss, str):
        return "test/loss is that of an own loss, which is not computed here"
    return None


def _is_right(predictions: Predictions) -> Array:
    return np.asarray(predictions.likeliest == predictions.labels, dtype=float)


def _loss(predictions: Predictions) -> Array:
    """Return the loss of each clip in nats, as `training/losses.py` has it. Shape: → (N,)"""
    training, truth, logits = predictions.training, predictions.truth.T, predictions.logits
    assert training is not None
    gamma = training.focal_gamma if training.loss == "focal" else 0.0
    if predictions.is_multi_label or training.loss == "bce":
        towards = np.where(truth, logits, -logits)
        log_right, log_wrong = -np.logaddexp(0, -towards), -np.logaddexp(0, towards)
        return np.asarray(-(np.exp(gamma * log_wrong) * log_right).sum(axis=1))
    log_right = logits[truth] - np.logaddexp.reduce(logits, axis=1)
    return np.asarray(-((1 - np.exp(log_right)) ** gamma) * log_right)


def _balanced_accuracy(predictions: Predictions) -> Array:
    return leave_one_out.macro_recall(predictions.predicted, predictions.truth, predictions.numbers)


def _macro_f1(predictions: Predictions) -> Array:
    return leave_one_out.macro_f1(predictions.predicted, predictions.truth, predictions.numbers)


def _map(predictions: Predictions) -> Array:
    return leave_one_out.macro_average_precision(
        predictions.probabilities, predictions.truth, predictions.numbers
    )


def _auroc(predictions: Predictions) -> Array:
    return leave_one_out.macro_auroc(
        predictions.probabilities, predictions.truth, predictions.numbers
    )


def _calibration_error(predictions: Predictions) -> Array:
    # In single precision, as the recorded number: it decides which bin a clip is in.
    confidence = predictions.probabilities.max(axis=0).astype(np.float32)
    bins = np.searchsorted(_bin_edges(), confidence, side="right") - 1
    gaps = confidence - _is_right(predictions)
    return leave_one_out.calibration_error(gaps, bins, predictions.numbers)


def _bin_edges() -> NDArray[np.float32]:
    """Return the edges of the bins of confidence as `torch.linspace` rounds them."""
    lower = float(np.float32(1 / NUM_BINS)) * np.arange(NUM_BINS + 1)
    return np.where(lower < 0.5, lower, 1 - lower[::-1]).astype(np.float32)


MEANS: dict[str, Callable[[Predictions], Array]] = {"test/accuracy": _is_right, "test/loss": _loss}
"""Means over clips: the score of each clip, (N,)."""

JACKKNIFED: dict[str, Callable[[Predictions], Array]] = {
    "test/balanced_accuracy": _balanced_accuracy,
    "test/macro_f1": _macro_f1,
    "test/map": _map,
    "test/auroc": _auroc,
    "test/calibration_error": _calibration_error,
}
"""No means over clips: the metric of all clips, then without each recording's, (1 + R,)."""

SINGLE_LABEL = ("test/accuracy", "test/balanced_accuracy", "test/calibration_error")
"""Metrics that clips of several labels do not have."""
